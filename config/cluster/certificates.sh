#!/bin/sh
# Makes the certificates by which nodes know each other.
#
#   certificates.sh DIRECTORY NODE...
#
# The first time also the nodes' own authority: DIRECTORY/ca.pem, and ca.key,
# which no node needs; keep it where new nodes are made. For each NODE, by its
# node.name, DIRECTORY/NODE.pem and NODE.key. A node gets these two and ca.pem
# (cluster.tls: cert, key, ca). What is there already is kept, but a node's
# certificate is made anew: to renew it, run this again and restart the node.
#
# Keys are for their owner only: give NODE.key to the user that the node runs
# as. Certificates are no secret and for everybody, as is a DIRECTORY that this
# makes.
set -eu
umask 077
if [ $# -lt 2 ]; then
  echo "usage: $0 DIRECTORY NODE..." >&2
  exit 2
fi
dir=$1
shift
(umask 022 && mkdir -p "$dir")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/ca.cnf" <<EOF
[req]
distinguished_name = name
prompt = no
x509_extensions = authority
[name]
CN = Nodes of a Greenroom cluster
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
EOF
if [ ! -e "$dir/ca.key" ]; then
  openssl req -x509 -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -config "$work/ca.cnf" -days 3650 \
    -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>"$work/log" ||
    { cat "$work/log" >&2; exit 1; }
fi
chmod 644 "$dir/ca.pem"

for node; do
  case $node in
    '' | *[!A-Za-z0-9._-]*)
      echo "$0: \"$node\" is no node.name" >&2
      exit 2
      ;;
  esac
  cat >"$work/node.cnf" <<EOF
[req]
distinguished_name = name
prompt = no
[name]
CN = $node
[node]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = DNS:$node
authorityKeyIdentifier = keyid
EOF
  {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
      -config "$work/node.cnf" -keyout "$dir/$node.key" -out "$work/node.csr" &&
      openssl x509 -req -in "$work/node.csr" -days 825 \
        -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial \
        -CAserial "$work/serial" \
        -extfile "$work/node.cnf" -extensions node -out "$dir/$node.pem"
  } 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
  chmod 644 "$dir/$node.pem"
done
