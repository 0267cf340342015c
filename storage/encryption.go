package storage

import (
	"bytes"
	"fmt"
	"io"

	"github.com/switchtape/switchtape/callmodel"
)

// Encryption encrypts objects before they are uploaded, and decrypts what was encrypted so.
// Package encrypt has the one that there is: age, with keys of each tenant.
//
// An encrypted object is a header of EncryptedHeader bytes that begins with EncryptedMagic,
// and a body of a length that follows from that of the plaintext: see EncryptedSize. The
// header says who can decrypt the body, and can be replaced without it. Errors about keys
// and about objects that were tampered with are *[EncryptionError].
type Encryption interface {
	// Encrypt begins to encrypt what will be put under the key: what is written to the
	// Encrypter is encrypted to body. Nil without an error: objects of the key are to be
	// stored as they are.
	Encrypt(key string, body io.Writer) (Encrypter, error)
	// Decrypt gives the plaintext of the encrypted object of size bytes, in any order. It
	// reads no more of it than is asked for, but for the header and the end.
	Decrypt(key string, object io.ReaderAt, size int64) (io.ReaderAt, error)
	// Sum reads an encrypted object to its end and returns the SHA-256 of its plaintext, in
	// hex. Without a key to decrypt it, it is what the writer of the object has
	// authenticated, together with the body that was read.
	Sum(key string, object io.Reader) (sha256 string, err error)
	// Rewrap returns a header for the same body whose recipients are those that the key's
	// tenant has now. Nil without an error: the object has them already.
	Rewrap(key string, header []byte) ([]byte, error)
}

// Encrypter encrypts one object. Close ends the body; then Header makes its header.
type Encrypter interface {
	io.WriteCloser
	// Header is that of the body as the object of the key. The SHA-256, in hex, and the size
	// are those of the plaintext. It may be called for several keys of one tenant.
	Header(key, sha256 string, size int64) ([]byte, error)
}

// The form of encrypted objects: a header, 16 bytes, and chunks of 64 KiB that are 16 bytes
// longer encrypted (https://c2sp.org/age, "Payload").
const (
	// EncryptedHeader is the length of the header in bytes.
	EncryptedHeader = 4096
	// EncryptedMagic begins every encrypted object, and no other.
	EncryptedMagic = "age-encryption.org/v1\n-> switchtape/1 "

	nonceBytes = 16
	chunkBytes = 64 << 10
	tagBytes   = 16
)

// EncryptedSize is the size in bytes that an object of size bytes has when it is encrypted.
func EncryptedSize(size int64) int64 {
	chunks := max((size+chunkBytes-1)/chunkBytes, 1)
	return EncryptedHeader + nonceBytes + size + chunks*tagBytes
}

// DecryptedSize is the size in bytes of what an encrypted object of size bytes holds; false
// if none has that size.
func DecryptedSize(size int64) (int64, bool) {
	body := size - EncryptedHeader - nonceBytes
	chunks := (body + chunkBytes + tagBytes - 1) / (chunkBytes + tagBytes)
	plain := body - chunks*tagBytes
	return plain, body >= tagBytes && EncryptedSize(plain) == size
}

// metaEncryption is the metadata key of how an object is encrypted, and encryptionAge its
// value. It is what a look at an object knows of it without reading it; whether an object
// that is read is encrypted its first bytes say.
const (
	metaEncryption = "encryption"
	encryptionAge  = "age"
)

// isEncrypted reports whether an object that begins so is encrypted.
func isEncrypted(head []byte) bool { return bytes.HasPrefix(head, []byte(EncryptedMagic)) }

// Reasons of an EncryptionError.
const (
	// NoKeys: the program has no keys at all.
	NoKeys = "no keys"
	// NoRecipients: nobody has said for whom the tenant's objects are to be encrypted.
	NoRecipients = "no recipients"
	// NoIdentity: no key of the program decrypts the object.
	NoIdentity = "no identity"
	// NoStampKey: the program can neither decrypt the object nor check its stamp.
	NoStampKey = "no stamp key"
	// Tampered: the object isn't as it was written, or was written by somebody else.
	Tampered = "tampered"
)

// EncryptionError says that an object can't be encrypted or decrypted. Its code is
// CodeKeyMissing where a key is missing, and CodeDamaged where the object was tampered with.
type EncryptionError struct {
	Reason string // one of those above
	Key    string // of the object
	Tenant string // whose keys are needed; "" if that isn't known
	Err    error  // says it all, with what to do
}

func (e *EncryptionError) Error() string { return e.Err.Error() }

// Unwrap returns the error with its code.
func (e *EncryptionError) Unwrap() error { return e.Err }

// NewEncryptionError is an EncryptionError about the object of the key, with the code of
// its reason. The rest is as of fmt.Errorf.
func NewEncryptionError(reason, key, tenant, format string, args ...any) *EncryptionError {
	code := callmodel.CodeKeyMissing
	if reason == Tampered {
		code = callmodel.CodeDamaged
	}
	return &EncryptionError{Reason: reason, Key: key, Tenant: tenant, Err: callmodel.Errorf(code, format, args...)}
}

// keyless is the error of an encrypted object that a store without keys is asked for.
func (s *Store) keyless(key string) error {
	return NewEncryptionError(NoKeys, key, "", "%s in %s is encrypted, and this program has no keys: give it the keys of the recordings", key, s.base)
}

// checkHeader refuses an encryption that made a header of another length than the sizes of
// objects are reckoned by.
func checkHeader(key string, header []byte) error {
	if len(header) != EncryptedHeader || !isEncrypted(header) {
		return fmt.Errorf("the encryption of %s made a header of %d bytes; it must have %d, and begin with %q", key, len(header), EncryptedHeader, EncryptedMagic)
	}
	return nil
}
