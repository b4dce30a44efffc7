"""The probe for Windows: a PowerShell command line that OpenSSH for Windows can run whatever its default shell is.

It prints the same frames as the one for POSIX shells, as bytes of UTF-8 past the console's code page.
"""

from __future__ import annotations

import base64
import re

SHELL_SECTION = "nestvirt/windows/shell"
"""The POSIX probe prints it, and nothing else, where its `sh` turns out to be one that runs on Windows."""

_SCRIPT = """$ErrorActionPreference='Stop'
$ProgressPreference='SilentlyContinue'
$o=[Console]::OpenStandardOutput()
$u=New-Object Text.UTF8Encoding $false
$script:c=1
function W($t){$b=$u.GetBytes($t);$o.Write($b,0,$b.Length)}
function F($s,$n,$d){$l=$u.GetByteCount($d);W "`n@NONCE $s - $l nestvirt/windows/$n`n$d";$script:c++}
function Q($n,$k,$p,$s='root/cimv2'){
try{F 'ok' "$n.json" ([string](Get-CimInstance -Namespace $s -Query "SELECT * FROM $k"|Select-Object -Property $p|ConvertTo-Json -Compress))}
catch{F 'failed' "$n.json" ([string]$_.Exception.Message)}}
function T($n,$c){
try{$global:LASTEXITCODE=0;$d=[string]((&$c) -join "`n")
if($LASTEXITCODE){F 'failed' $n $d}else{F 'ok' $n $d}}catch{F 'failed' $n ([string]$_.Exception.Message)}}
Q 'operating_system' 'Win32_OperatingSystem' @('Caption','Version','BuildNumber','ProductType','OSArchitecture',
'DataExecutionPrevention_Available')
Q 'computer_system' 'Win32_ComputerSystem' @('Manufacturer','Model','HypervisorPresent',
'TotalPhysicalMemory','NumberOfLogicalProcessors')
Q 'processor' 'Win32_Processor' @('Manufacturer','Name','Description','NumberOfCores',
'VirtualizationFirmwareEnabled','VMMonitorModeExtensions','SecondLevelAddressTranslationExtensions')
Q 'bios' 'Win32_BIOS' @('Manufacturer','Name','Version','SMBIOSBIOSVersion')
Q 'services' "Win32_Service WHERE Name='vmms'" @('Name','State','StartMode')
T 'bcdedit.txt' {bcdedit /enum '{current}'}
Q 'optional_features' "Win32_OptionalFeature WHERE Name LIKE 'Microsoft-Hyper-V%'" @('Name','InstallState')
Q 'hypervisor_counters' 'Win32_PerfRawData_HvStats_HyperVHypervisor' @('LogicalProcessors','Partitions')
Q 'virtual_machines' 'Msvm_ComputerSystem' @('Name','EnabledState') 'root/virtualization/v2'
T 'systeminfo.txt' {systeminfo}
W "`n@NONCE ok - - end`n$script:c`n@NONCE .`n"
$o.Flush()
"""

SECONDS = 180.0
"""The least that a Windows host is given: systeminfo alone may take one of these minutes."""

_SIGNS = re.compile(
    r"is not recognized as (an internal|the name of)|CommandNotFoundException|operable program or batch file"
    r"|Microsoft Windows|PowerShell|cmdlet",
    re.IGNORECASE,
)
_QUOTED_SH = re.compile("[\"'\xab\xbb\u2018-\u201f]\\s?sh\\s?[\"'\xab\xbb\u2018-\u201f]")
"""How cmd.exe names a command that it does not know, in whatever language it complains."""

_NOT_FOUND_BY_POSIX = 127


def windows_command(nonce: str) -> str:
    """The command line, below the 8191 characters that cmd.exe takes."""
    script = _SCRIPT.replace("NONCE", nonce)
    encoded = base64.b64encode(script.encode("utf-16-le")).decode("ascii")
    return f"powershell -NoProfile -NonInteractive -EncodedCommand {encoded}"


def looks_like_windows(exit_code: int, stdout: bytes, stderr: bytes) -> bool:
    """Whether what came instead of frames is what a Windows shell prints for a command `sh` that it does not have."""
    printed = (stdout + b"\n" + stderr).decode("utf-8", errors="replace")
    if _SIGNS.search(printed):
        return True
    return exit_code not in {0, _NOT_FOUND_BY_POSIX} and _QUOTED_SH.search(printed) is not None
