// Package keys is the vocabulary of API keys that are kept in a database: what a key
// is, how its secret is made and recognised, and how it changes.
//
//	create ─▶ active ─▶ rotate: a new secret, the old one good for a while
//	             │
//	             ├─▶ revoke: refused from then on
//	             └─▶ its expiry passes
//
// A secret is shown once, when it is made. What is kept is its SHA-256: a secret has
// 256 random bits, so nobody guesses it from its hash however fast hashes are tried,
// and a request needs no slow hash, which is for passwords that people choose.
package keys
