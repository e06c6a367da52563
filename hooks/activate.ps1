# Saves this Python environment when it is activated; where gitsnap is gone, nothing happens.
# In a scope of its own: the variables and the exit code of the session stay as they are.
& {
    $hook = @HOOK@
    if (-not (Test-Path -LiteralPath $hook -PathType Leaf)) {
        $found = @(Get-Command gitsnap-hook -CommandType Application -ErrorAction SilentlyContinue)
        if ($found.Count -eq 0) { return }
        $hook = $found[0].Path
    }
    $code = Get-Variable LASTEXITCODE -Scope Global -ValueOnly -ErrorAction SilentlyContinue
    $kept = @{}
    $ours = 'PYTHONPATH', 'PYTHONHOME', 'PYTHONNOUSERSITE', 'PYTHONWARNINGS', 'PYTHONSTARTUP', 'PYTHONINSPECT',
        'PYTHONDEVMODE', 'PYTHONVERBOSE'
    foreach ($name in $ours) {
        $kept[$name] = [Environment]::GetEnvironmentVariable($name)
        [Environment]::SetEnvironmentVariable($name, $null)
    }
    try { $null | & $hook --python @PYTHON@ | Out-Null } catch { }
    foreach ($name in $ours) { [Environment]::SetEnvironmentVariable($name, $kept[$name]) }
    $global:LASTEXITCODE = $code
}
