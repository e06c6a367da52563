# Saves this Python environment when it is activated; where gitsnap is gone, nothing happens.
# In a shell of its own: the variables and the exit status of this one stay as they are.
command sh -c '
    unset PYTHONPATH PYTHONHOME PYTHONNOUSERSITE PYTHONWARNINGS PYTHONSTARTUP PYTHONINSPECT PYTHONDEVMODE \
        PYTHONVERBOSE
    hook=$2
    [ -x "$hook" ] || hook=$(command -v gitsnap-hook) || exit "$1"
    "$hook" --python "$3" </dev/null >/dev/null
    exit "$1"
' sh $status @HOOK@ @PYTHON@
