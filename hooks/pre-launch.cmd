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
where /q $PATH:gitsnap-hook
if not errorlevel 1 call :save
%*
rem cmd itself has named the command that it did not find.
if %ERRORLEVEL%==9009 exit /b 127
exit /b %ERRORLEVEL%

:save
setlocal
set "PYTHONPATH="
set "PYTHONHOME="
set "PYTHONNOUSERSITE="
set "PYTHONWARNINGS="
set "PYTHONSTARTUP="
set "PYTHONINSPECT="
set "PYTHONDEVMODE="
set "PYTHONVERBOSE="
rem Else a gitsnap-hook in the current folder would come before the one on PATH.
set "NoDefaultCurrentDirectoryInExePath=1"
rem Without `call`, one that is a batch file, as pyenv makes them, would never come back.
call gitsnap-hook <nul >nul
endlocal
exit /b 0
