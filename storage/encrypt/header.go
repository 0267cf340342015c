package encrypt

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"filippo.io/age"

	"github.com/switchtape/switchtape/storage"
)

// The lines of a header that aren't recipients': see the package's comment.
const (
	intro      = "age-encryption.org/v1\n"
	recipients = "-> switchtape-recipients "
	footer     = "---"

	columns = 64 // of a body's lines (https://c2sp.org/age, "Recipient stanza")
	macSize = sha256.Size
	idSize  = 16
)

// stamp is what the writer of an object says of it.
type stamp struct {
	size   int64    // of the plaintext
	sum    [32]byte // SHA-256 of the plaintext
	body   [32]byte // SHA-256 of the body, which is the nonce and the chunks
	commit [32]byte // to the file key
	mac    [32]byte // over the above, by a stamp key
}

// line is what the MAC is of, and begins every object.
func (s *stamp) line() string {
	return fmt.Sprintf("%s%d %s %s %s\n", storage.EncryptedMagic, s.size, encode(s.sum[:]), encode(s.body[:]), encode(s.commit[:]))
}

func (s *stamp) macBy(stampKey []byte, key string) []byte {
	h := hmac.New(sha256.New, stampKey)
	fmt.Fprintf(h, "switchtape stamp\n%s\n%s", key, s.line())
	return h.Sum(nil)
}

// parseStamp reads that of a header or of an object that begins with one.
func parseStamp(header []byte) (s stamp, err error) {
	rest, ok := bytes.CutPrefix(header, []byte(storage.EncryptedMagic))
	line, rest, ended := bytes.Cut(rest, []byte("\n"))
	mac, _, endedToo := bytes.Cut(rest, []byte("\n"))
	fields := strings.Split(string(line), " ")
	if !ok || !ended || !endedToo || len(fields) != 4 {
		return s, errors.New("it has no stamp")
	}
	if s.size, err = strconv.ParseInt(fields[0], 10, 64); err != nil || s.size < 0 {
		return s, errors.New("its stamp has no size")
	}
	for i, to := range []*[32]byte{&s.sum, &s.body, &s.commit} {
		if err := decode(to, fields[i+1]); err != nil {
			return s, err
		}
	}
	return s, decode(&s.mac, string(mac))
}

func encode(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

func decode(to *[32]byte, text string) error {
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != len(to) {
		return fmt.Errorf("its stamp has %d characters where %d bytes in base64 belong", len(text), len(to))
	}
	copy(to[:], b)
	return nil
}

// derive is a key made of the file key for one use.
func derive(fileKey []byte, use string) ([]byte, error) {
	return hkdf.Key(sha256.New, fileKey, nil, use, sha256.Size)
}

// commitTo is a value that only the file key has.
func commitTo(fileKey []byte) (c [32]byte, err error) {
	k, err := derive(fileKey, "switchtape commit")
	if err != nil {
		return c, err
	}
	copy(c[:], hmac.New(sha256.New, k).Sum(nil))
	return c, nil
}

// header is that of a body that the file key decrypts, for these recipients
// (https://c2sp.org/age, "Header").
func header(fileKey []byte, s *stamp, to []age.Recipient, id string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(s.line())
	b.WriteString(encode(s.mac[:]) + "\n")
	for _, r := range to {
		stanzas, err := r.Wrap(fileKey)
		if err != nil {
			return nil, err
		}
		for _, st := range stanzas {
			writeStanza(&b, st)
		}
	}
	b.WriteString(recipients + id + " ")
	tail := len("\n\n") + len(footer) + len(" ") + base64.RawStdEncoding.EncodedLen(macSize) + len("\n")
	fill := storage.EncryptedHeader - b.Len() - tail
	if fill < 1 {
		return nil, fmt.Errorf("%d recipients need a header of %d bytes more than the %d that there are: have fewer", len(to), 1-fill, storage.EncryptedHeader)
	}
	b.WriteString(strings.Repeat("0", fill) + "\n\n" + footer)
	key, err := derive(fileKey, "header")
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(b.Bytes())
	b.WriteString(" " + encode(mac.Sum(nil)) + "\n")
	return b.Bytes(), nil
}

func writeStanza(b *bytes.Buffer, s *age.Stanza) {
	b.WriteString("-> " + strings.Join(append([]string{s.Type}, s.Args...), " ") + "\n")
	body := encode(s.Body)
	for len(body) >= columns {
		b.WriteString(body[:columns] + "\n")
		body = body[columns:]
	}
	b.WriteString(body + "\n") // the last line is shorter, and may be empty
}

// recipientsOf is the id of the recipients that a header is for.
func recipientsOf(header []byte) string {
	_, rest, _ := strings.Cut(string(header), "\n"+recipients)
	id, _, _ := strings.Cut(rest, " ")
	return id
}

// recipientsID is the id of these recipients, whatever their order.
func recipientsID(sorted []string) string {
	sum := sha256.Sum256([]byte(strings.Join(sorted, "\n")))
	return hex.EncodeToString(sum[:idSize])
}
