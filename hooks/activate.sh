# Saves this Python environment when it is activated; where gitsnap is gone, nothing happens.
# In a subshell: the options, variables and exit status of the shell stay as they are.
(
    gitsnap_status=$?
    unset PYTHONPATH PYTHONHOME PYTHONNOUSERSITE PYTHONWARNINGS PYTHONSTARTUP PYTHONINSPECT PYTHONDEVMODE \
        PYTHONVERBOSE
    gitsnap_hook=@HOOK@
    [ -x "$gitsnap_hook" ] || gitsnap_hook=$(command -v gitsnap-hook) || exit "$gitsnap_status"
    "$gitsnap_hook" --python @PYTHON@ </dev/null >/dev/null || :
    exit "$gitsnap_status"
)
