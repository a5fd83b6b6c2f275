# SPDX-License-Identifier: Apache-2.0
# Completion of warren(1) in fish. What there is to be completed, `warren complete` knows.
function __warren_complete
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    for line in ($typed[1] complete -- $typed[2..-1] "$current" 2>/dev/null)
        switch $line
            case :files :folders
                __fish_complete_path "$current"
            case '*'
                echo $line
        end
    end
end
complete -c warren -f -a '(__warren_complete)'
