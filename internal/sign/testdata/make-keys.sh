#!/bin/sh
# Makes the keys under testdata/keys with OpenSSL 3. The passphrase of all encrypted ones is "correct horse".
set -eu
cd "$(dirname "$0")/keys"
for curve in prime256v1 secp384r1 secp521r1; do
	openssl ecparam -name $curve -genkey -out sec1-$curve.pem # begins with EC PARAMETERS
	openssl pkcs8 -topk8 -nocrypt -in sec1-$curve.pem -out pkcs8-$curve.pem
	openssl pkcs8 -topk8 -v2 aes-256-cbc -passout "pass:correct horse" -in sec1-$curve.pem -out encrypted-$curve.pem
done
in=sec1-prime256v1.pem
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass "pass:correct horse" -out encrypted-genpkey.pem
openssl pkcs8 -topk8 -v2 aes-128-cbc -v2prf hmacWithSHA512 -passout "pass:correct horse" -in $in -out encrypted-sha512.pem
openssl pkcs8 -topk8 -v2 aes-192-cbc -v2prf hmacWithSHA1 -passout "pass:correct horse" -in $in -out encrypted-sha1.pem
openssl pkcs8 -topk8 -v2 des3 -passout "pass:correct horse" -in $in -out encrypted-des3.pem
openssl pkcs8 -topk8 -scrypt -passout "pass:correct horse" -in $in -out encrypted-scrypt.pem
openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -passout "pass:correct horse" -in $in -out bad-pbes1.pem
openssl pkcs8 -topk8 -v2 camellia-256-cbc -passout "pass:correct horse" -in $in -out bad-camellia.pem
openssl ec -aes256 -passout "pass:correct horse" -in $in -out bad-legacy.pem
openssl genrsa -out bad-rsa.pem 1024
openssl rsa -traditional -in bad-rsa.pem -out bad-rsa1.pem
openssl genpkey -algorithm ed25519 -out bad-ed25519.pem
openssl ecparam -name secp256k1 -genkey -noout -out bad-secp256k1.pem
openssl pkcs8 -topk8 -nocrypt -in bad-secp256k1.pem -out bad-secp256k1-pkcs8.pem
openssl ecparam -name secp224r1 -genkey -noout -out bad-p224.pem
openssl ecparam -name prime256v1 -param_enc explicit -genkey -noout -out bad-explicit.pem
openssl ec -pubout -in $in -out bad-public.pem
