// The parts of libcrypto the gateway uses: HMAC and digests, Ed25519 and its key files, random bytes, constant-time
// compare.
#pragma once
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
