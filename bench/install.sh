#!/bin/sh
# Installs what the benchmark compares with, and its server: Debian, as root. May be run again at any time; it is done
# in a moment where everything is there. Nothing is started. What is missing elsewhere is named, and the benchmark then
# reports it as "not installed".
set -eu

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  for program in dovecot mbsync offlineimap imapfilter; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null \
      || echo "install.sh: $program is missing, and it takes root and apt-get to install it" >&2
  done
  exit 0
fi

export DEBIAN_FRONTEND=noninteractive

wanted=
for package in dovecot-imapd isync offlineimap3 imapfilter openssl; do
  case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
    installed) ;;
    *) wanted="$wanted $package" ;;
  esac
done

if [ -n "$wanted" ]; then
  # Postinst scripts must not start daemons on the standard ports.
  policy=/usr/sbin/policy-rc.d
  ours=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    ours=yes
  fi
  apt-get update -q || { sleep 5; apt-get update -q; }
  # One by one: a peer that cannot be had must not keep the others away.
  for package in $wanted; do
    apt-get install -y -q --no-install-recommends "$package" || echo "install.sh: no $package" >&2
  done
  [ -z "$ours" ] || rm -f "$policy"
fi

echo "peers for the benchmark: ready"
