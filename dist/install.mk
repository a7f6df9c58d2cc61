# SPDX-License-Identifier: ISC
#
# make install [DESTDIR=] [PREFIX=/usr/local] [SETGID_GROUP=]
# make uninstall, with the same words: takes away what install put there, and
# nothing else.  Configuration, queue, mail and users stay.
#
# With PREFIX=/usr everything lies where Debian's Postfix has it, and the
# start scripts go to /etc/init.d and to systemd's directory.  With any other
# PREFIX nothing is written outside of it: the tree runs in place, given a
# configuration (`PREFIX/bin/veredus init -c DIR DOMAIN`, then
# `PREFIX/sbin/postfix -c DIR start`).
#
# One binary, PREFIX/bin/veredus; the classic names are links to it.  No user
# and no group is made (`veredus init --create-users` does that on a host).
#
# postdrop and postqueue need no rights of their own: every user may write
# into maildrop, nobody but its owner may read there.  Who rather has the
# directory writable by a group says SETGID_GROUP=postdrop: the two are then
# copies that are set-group-id, and `chgrp postdrop maildrop; chmod 1730
# maildrop` closes it to all others.

PREFIX       ?= /usr/local
DESTDIR      ?=
SETGID_GROUP ?=

root    := $(DESTDIR)$(PREFIX)
bindir  := $(PREFIX)/bin
sbindir := $(PREFIX)/sbin
mandir  := $(root)/share/man
docdir  := $(root)/share/doc/veredus
unitdir := $(root)/lib/systemd/system
initdir := $(DESTDIR)$(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)/init.d

# Where Debian's Postfix has them.
IN_SBIN := postalias postcat postconf postdrop postfix postkick postlock \
           postlog postmap postmulti postqueue postsuper qshape sendmail
IN_BIN  := mailq newaliases

bashdir := $(root)/share/bash-completion/completions
zshdir  := $(root)/share/zsh/site-functions
# Who loads completions by the command's name finds them under each.
COMPLETED := postfix postconf postqueue postsuper postcat

MANUALS := $(wildcard docs/man/*.[1-8])
EXAMPLE := $(wildcard dist/example/*)

.PHONY: install install-commands install-manuals install-scripts \
        install-completion install-docs uninstall
install: install-commands install-manuals install-scripts install-completion \
         install-docs

install-commands: $(BUILD)/veredus
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(sbindir) $(root)/lib
	install -m 755 $(BUILD)/veredus $(DESTDIR)$(bindir)/veredus.new
	mv -f $(DESTDIR)$(bindir)/veredus.new $(DESTDIR)$(bindir)/veredus
	for name in $(IN_SBIN); do \
	    ln -sfn ../bin/veredus $(DESTDIR)$(sbindir)/$$name || exit 1; done
	for name in $(IN_BIN); do \
	    ln -sfn veredus $(DESTDIR)$(bindir)/$$name || exit 1; done
	ln -sfn ../sbin/sendmail $(root)/lib/sendmail
ifneq ($(SETGID_GROUP),)
	for name in postdrop postqueue; do \
	    rm -f $(DESTDIR)$(sbindir)/$$name && \
	    install -g $(SETGID_GROUP) -m 2755 $(BUILD)/veredus \
	        $(DESTDIR)$(sbindir)/$$name || exit 1; done
endif

install-manuals:
	for page in $(MANUALS); do \
	    section=$(mandir)/man$${page##*.}; \
	    install -d $$section && install -m 644 $$page $$section || exit 1; \
	done

install-scripts:
	install -d $(unitdir) $(initdir)
	sed 's|@sbindir@|$(sbindir)|g' dist/postfix.service \
	    >$(unitdir)/postfix.service
	sed 's|@sbindir@|$(sbindir)|g' dist/postfix.init >$(initdir)/postfix
	chmod 644 $(unitdir)/postfix.service
	chmod 755 $(initdir)/postfix

install-docs:
	install -d $(docdir)/example
	install -m 644 README.md CHANGELOG.md LICENSE $(docdir)
	install -m 644 $(EXAMPLE) $(docdir)/example

install-completion:
	install -d $(bashdir) $(zshdir)
	install -m 644 dist/completion/veredus.bash $(bashdir)/veredus
	for name in $(COMPLETED); do \
	    ln -sfn veredus $(bashdir)/$$name || exit 1; done
	install -m 644 dist/completion/_veredus $(zshdir)

# A link is taken away while it leads to ours: another package may have put
# its own command there since.
uninstall:
	for name in $(IN_SBIN); do \
	    path=$(DESTDIR)$(sbindir)/$$name; \
	    case $$(readlink $$path) in ../bin/veredus) rm -f $$path ;; esac; \
	    case $$name in postdrop|postqueue) \
	        cmp -s $$path $(DESTDIR)$(bindir)/veredus && rm -f $$path ;; \
	    esac; done; true
	for name in $(IN_BIN); do \
	    path=$(DESTDIR)$(bindir)/$$name; \
	    [ "$$(readlink $$path)" != veredus ] || rm -f $$path; done
	[ "$$(readlink $(root)/lib/sendmail)" != ../sbin/sendmail ] || \
	    [ -e $(root)/lib/sendmail ] || rm -f $(root)/lib/sendmail
	rm -f $(DESTDIR)$(bindir)/veredus
	for page in $(notdir $(MANUALS)); do \
	    rm -f $(mandir)/man$${page##*.}/$$page; done
	rm -f $(unitdir)/postfix.service $(initdir)/postfix
	for name in $(COMPLETED); do \
	    [ "$$(readlink $(bashdir)/$$name)" != veredus ] || \
	        rm -f $(bashdir)/$$name; done
	rm -f $(bashdir)/veredus $(zshdir)/_veredus
	rm -rf $(docdir)
