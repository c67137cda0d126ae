#!/bin/sh
# Installs the IMAP servers and the mail indexer that the tests use, what torture/ traces system calls with, and what
# checks the unit and the recipes in contrib/: Debian 12, as root. May be run again at any time; it is done in a moment
# where everything is there. Nothing is started.
#
# Most are ordinary packages. The packages of Cyrus and Courier conflict with Dovecot's, so these two are unpacked below
# $SYNCER_TEST_SERVERS instead of being installed.
set -eu

top=${SYNCER_TEST_SERVERS:-/opt/imap-servers}
cyrus="cyrus-imapd cyrus-common cyrus-clients"
courier="courier-imap courier-base courier-authdaemon courier-authlib courier-authlib-userdb"
packages="dovecot-imapd sasl2-bin notmuch jq systemd iproute2 strace libseccomp2 openssl util-linux e2fsprogs db-util libsasl2-modules
  libclamav12 libical3 libpq5 libxapian30 libzephyr4 libwrap0 libjansson4 libpcre3
  libcourier-unicode4 libidn12 libgdbm6 libgamin0 gamin libltdl7"

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "install.sh: needs root and apt-get; the tests that need a server that is not there will be skipped" >&2
  exit 0
fi

export DEBIAN_FRONTEND=noninteractive

wanted=
for package in $packages; do
  case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
    installed) ;;
    *) wanted="$wanted $package" ;;
  esac
done

unpacked() {
  [ -x "$top/cyrus/usr/lib/cyrus/bin/master" ] && [ -x "$top/courier/usr/sbin/couriertcpd" ] \
    && [ -x "$top/courier/usr/lib/courier/courier-authlib/makedatprog" ]
}

unpack() {
  mkdir -p "$top/debs"
  cd "$top/debs"
  # apt-get download drops its privileges where it can, so the directory must be open to it.
  chown _apt "$top/debs" 2>/dev/null || true
  for package in $cyrus $courier; do
    set -- "$package"_*.deb
    [ -e "$1" ] || apt-get download -q "$package" || return 1
  done
  mkdir -p "$top/cyrus" "$top/courier"
  for package in cyrus-*.deb; do dpkg -x "$package" "$top/cyrus"; done
  for package in courier-*.deb; do dpkg -x "$package" "$top/courier"; done
}

install() {
  # shellcheck disable=SC2086
  { [ -z "$wanted" ] || apt-get install -y -q --no-install-recommends $wanted; } && { unpacked || (unpack); }
}

if [ -n "$wanted" ] || ! unpacked; then
  # Postinst scripts must not start daemons on the standard ports.
  policy=/usr/sbin/policy-rc.d
  ours=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    ours=yes
  fi
  apt-get update -q || { sleep 5; apt-get update -q; }
  install || { sleep 5; apt-get update -q; install; }
  [ -z "$ours" ] || rm -f "$policy"
fi

# The users as which Cyrus and the stores of the other servers run; no login, no home.
id cyrus >/dev/null 2>&1 \
  || useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin --gid mail cyrus

echo "servers for the tests: ready"
