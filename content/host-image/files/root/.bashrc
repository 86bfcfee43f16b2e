# The prompt, colors and short names of a lab host.
case $- in *i*) ;; *) return ;; esac

HISTSIZE=5000 HISTFILESIZE=10000 HISTCONTROL=ignoreboth
shopt -s histappend checkwinsize globstar

PS1='\[\e[1;32m\]\u@\h\[\e[0m\]:\[\e[1;34m\]\w\[\e[0m\]\$ '

alias ls='ls --color=auto' ll='ls -alF --color=auto' la='ls -A --color=auto'
alias grep='grep --color=auto' diff='diff --color=auto' ip='ip -color=auto'
export LESS=-FRX EDITOR=nano

if ! shopt -oq posix && [ -r /usr/share/bash-completion/bash_completion ]; then
  . /usr/share/bash-completion/bash_completion
fi
