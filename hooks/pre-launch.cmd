@echo off
rem gitsnap: save the Python environment, then run the command.
rem
rem     pre-launch.cmd COMMAND [ARGUMENT...]
rem
rem Where gitsnap is gone, or fails, the command starts all the same.
if "%~1"=="" (
    echo usage: pre-launch.cmd COMMAND [ARGUMENT...] 1>&2
    exit /b 2
)
where /q gitsnap-hook
if not errorlevel 1 call :save
%*
exit /b %ERRORLEVEL%

:save
setlocal
set "PYTHONPATH="
set "PYTHONHOME="
set "PYTHONWARNINGS="
set "PYTHONSTARTUP="
set "PYTHONINSPECT="
set "PYTHONDEVMODE="
gitsnap-hook <nul >nul
endlocal
exit /b 0
