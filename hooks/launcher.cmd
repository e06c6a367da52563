@echo off
rem Runs a command in its environment, after saving that; where gitsnap is gone, the command alone.
setlocal
set "PATH=@FOLDER@;%PATH%"
set "@VARIABLE@"
if exist @GITSNAP@ goto :save
@COMMAND@
exit /b %ERRORLEVEL%
:save
@GITSNAP@ run --python @PYTHON@ -- @COMMAND@
exit /b %ERRORLEVEL%
