# gitsnap: save the Python environment, then run the command.
#
#     pre-launch.ps1 COMMAND [ARGUMENT...]
#
# Where gitsnap is gone, or fails, the command starts all the same.

if ($args.Count -eq 0) {
    [Console]::Error.WriteLine('usage: pre-launch.ps1 COMMAND [ARGUMENT...]')
    exit 2
}
if (Get-Command gitsnap-hook -CommandType Application -ErrorAction SilentlyContinue) {
    $kept = @{}
    $ours = 'PYTHONPATH', 'PYTHONHOME', 'PYTHONNOUSERSITE', 'PYTHONWARNINGS', 'PYTHONSTARTUP', 'PYTHONINSPECT',
        'PYTHONDEVMODE', 'PYTHONVERBOSE'
    foreach ($name in $ours) {
        $kept[$name] = [Environment]::GetEnvironmentVariable($name)
        [Environment]::SetEnvironmentVariable($name, $null)
    }
    try { $null | & gitsnap-hook | Out-Null } catch { }
    foreach ($name in $ours) { [Environment]::SetEnvironmentVariable($name, $kept[$name]) }
}
$command = $args[0]
$rest = @($args | Select-Object -Skip 1)
if (-not (Get-Command $command -ErrorAction SilentlyContinue)) {
    [Console]::Error.WriteLine("pre-launch.ps1: ${command}: command not found")
    exit 127
}
& $command @rest
exit $LASTEXITCODE
