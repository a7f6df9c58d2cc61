# SPDX-License-Identifier: ISC
# bash completion for veredus and the classic commands.  What there is to
# choose from is asked of the commands themselves.

_veredus_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2"); }

# The names that stand first on a help page's indented lines.
_veredus_listed() { "$@" 2>/dev/null | awk '/^  [a-z]/ { print $1 }'; }

# The configuration that the line at hand is about.
_veredus_config()
{
    local i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} != -c ]] || { echo "-c ${COMP_WORDS[i + 1]}"
                                          return; }
    done
}

_veredus_ids()
{
    # shellcheck disable=SC2046
    postqueue $(_veredus_config) -j 2>/dev/null |
        sed -n 's/.*"queue_id": "\([^"]*\)".*/\1/p'
}

_veredus()
{
    local cur=$2 prev=$3 noun=${COMP_WORDS[1]}
    case $prev in
    -c|--config) mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
    esac
    if ((COMP_CWORD == 1)); then
        _veredus_words "help $(_veredus_listed veredus help)" "$cur"
    elif ((COMP_CWORD == 2)) && [[ $noun != -* ]]; then
        _veredus_words "$(_veredus_listed veredus "$noun" --help)" "$cur"
    elif [[ $cur != -* ]]; then
        # shellcheck disable=SC2046
        case $noun in
        import) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        user|alias|domain)
            _veredus_words "$(veredus "$noun" list $(_veredus_config) \
                2>/dev/null | awk 'NR > 1 { print $1 }')" "$cur" ;;
        esac
    fi
}

_veredus_postfix()
{
    case $3 in
    -c) mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
    *) _veredus_words "start start-fg stop abort reload flush check status \
set-permissions logrotate" "$2" ;;
    esac
}

_veredus_postconf()
{
    case $3 in
    -c) mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
    *) # shellcheck disable=SC2046
       _veredus_words "$(postconf -dH $(_veredus_config) 2>/dev/null)" "$2"
       if [[ " ${COMP_WORDS[*]} " == *" -e "* && ${#COMPREPLY[@]} == 1 ]]; then
           COMPREPLY[0]+="="
           compopt -o nospace 2>/dev/null
       fi ;;
    esac
}

_veredus_queue()
{
    case $3 in
    -c) mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
    -[dhHrifeq]) _veredus_words "ALL $(_veredus_ids)" "$2" ;;
    esac
}

complete -F _veredus veredus
complete -F _veredus_postfix postfix
complete -F _veredus_postconf postconf
complete -F _veredus_queue postqueue postsuper postcat
