@rem Saves this Python environment when it is activated; where gitsnap is gone, nothing happens.
@rem In a cmd of its own: the variables and the error level of this one stay as they are.
@"%ComSpec%" /d /v:off /s /c "set PYTHONPATH=&set PYTHONHOME=&set PYTHONNOUSERSITE=&set PYTHONWARNINGS=&set PYTHONSTARTUP=&set PYTHONINSPECT=&set PYTHONDEVMODE=&set PYTHONVERBOSE=&set NoDefaultCurrentDirectoryInExePath=1&(if exist @HOOK@ (call @HOOK@ --python @PYTHON@) else (where /q $PATH:gitsnap-hook && call gitsnap-hook --python @PYTHON@)) <nul >nul&exit %ERRORLEVEL%"
