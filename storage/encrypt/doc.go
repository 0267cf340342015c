// Package encrypt encrypts recordings before they leave the program, with age
// (https://c2sp.org/age) and keys of each tenant. Its [Keys] are the storage.Encryption of a
// [storage.Store]:
//
//	keys, err := encrypt.Parse(file)
//	store, err := storage.Open(ctx, "s3://recordings", &storage.Options{Encryption: keys})
//
// # Keys
//
// A file of keys is JSON:
//
//	{
//	  "stamp_keys": ["kVt…"],
//	  "tenants": {
//	    "acme":   {"recipients": ["age1…", "age1escrow…"], "identities": ["AGE-SECRET-KEY-1…"]},
//	    "globex": {"plain": true},
//	    "*":      {"recipients": ["age1…"]}
//	  }
//	}
//
// A tenant is the first part of an object's key. Its objects are encrypted to all of its
// recipients, any of whom can decrypt them; "*" is for tenants that have no entry. Without
// an entry for it, and with one without recipients, a tenant's objects can't be stored:
// that they may be stored as they are must be said ("plain"). Identities are what decrypts.
// A worker that only stores recordings needs none. Recipients are X25519 or hybrid
// (post-quantum) ones of age, of one kind for a tenant. The age command makes both,
// and [New] does.
//
// A stamp key is 32 bytes in base64, a secret that all programs share which write the
// bucket. The first of them is used, and the others are accepted. See below for what it is
// good for.
//
// [Wrap] has the file encrypted, with a key that is wrapped by a keeper of a cloud's (gocloud.dev/secrets),
// so that the file alone decrypts nothing.
//
// # Form
//
//	age-encryption.org/v1
//	-> switchtape/1 SIZE SHA256 BODY COMMIT       the stamp: plaintext's size and hash,
//	STAMP                                         the body's hash, and the MAC over them
//	-> X25519 …                                   one a recipient
//	-> switchtape-recipients ID 000…              who they are, and what fills the header
//
//	--- MAC
//	nonce, and chunks of 64 KiB                   the body
//
// It is an age file like any other: "age --decrypt -i key.txt" gives the recording. The
// header always has storage.EncryptedHeader bytes, so that the size of the plaintext follows
// from that of the object, which is all that a bucket's listing tells. Chunks are
// authenticated one by one, so that a range is read and decrypted alone.
//
// # Retries
//
// The ledger has the hash and the size of the plaintext. age encrypts the same recording
// differently each time, so that a retry can't tell by the bytes that an object which
// exists is its own. With an identity it decrypts it. Without one, it reads the stamp:
//
//	COMMIT = HMAC-SHA-256(key: HKDF-SHA-256(file key, "switchtape commit"), "")
//	STAMP  = HMAC-SHA-256(stamp key, the object's key and the stamp's line)
//
// hashes the body, and knows that a program with the stamp key has stored that plaintext
// there, and that nothing of it was changed since. The stamp key decrypts nothing.
//
// # What it protects from
//
//	who has                          can                                        can't
//	the bucket, reading              see keys (tenant, call, time), sizes,      hear anything
//	                                 metadata, the hash of the plaintext: a
//	                                 guess of a whole recording can be checked
//	the bucket, writing              delete; put an older object, or a plain    change a recording, swap two, or
//	                                 one, in its place: verify tells both       put in an encrypted one: the stamp
//	                                                                            tells, also in a range
//	a worker's keys                  stamp, store                               hear what is stored already
//	a tenant's identity              hear that tenant                           hear another tenant
//	the identity that was replaced   hear what it got hold of, and older        hear objects that were re-wrapped,
//	                                 versions that the bucket keeps             or new ones
//
// A reader without a stamp key can't tell an object that somebody else has encrypted to the
// tenant's public recipients from one of ours, but by the ledger's hash. A worker sees the
// legs, and whoever takes it over hears what it records from then on. If all of a tenant's
// identities are lost, so are its recordings: have an escrow recipient.
//
// # Faults
//
//	the tenant has no recipients                    EncryptionError no recipients; nothing is stored, the job waits
//	an object, and no identity for it               EncryptionError no identity, naming the tenant and what to do; the job waits
//	it exists already; neither identity nor stamp   EncryptionError no stamp key; the job waits, no version is made
//	a changed or swapped object                     EncryptionError tampered; verify tells it as object_differs, with keys
//	                                                that only store, too, but for the part of its header that says who can
//	                                                decrypt it
//	a plain object                                  read as it is, beside encrypted ones
//	an encrypted object, and no keys at all         EncryptionError no keys, never its bytes; the job waits, verify counts
//	                                                it as not read
package encrypt
