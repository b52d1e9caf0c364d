// The parts of libcrypto the gateway uses: HMAC and digests, random bytes, constant-time compare.
#pragma once
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
