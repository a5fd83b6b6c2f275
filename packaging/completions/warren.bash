# SPDX-License-Identifier: Apache-2.0
# Completion of warren(1) in bash. What there is to be completed, `warren complete` knows.
_warren() {
    local line word current=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
        :files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        :folders) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
        *)
            word=${line%%$'\t'*}
            case $word in *: | *= | */) compopt -o nospace ;; esac
            COMPREPLY+=("$word")
            ;;
        esac
    done < <("${COMP_WORDS[0]}" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _warren warren
