package webhooks

import (
	"crypto/hmac"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// Names of the headers of a delivery (Standard Webhooks 1.0, "Webhook Headers").
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// Tolerance is how far a delivery's time may be from the receiver's clock: who has seen one
// can't send it again later.
const Tolerance = 5 * time.Minute

// Verify is what a receiver does with a delivery before it believes it: id, timestamp and
// signature are its headers, body what came, byte for byte, and secrets those that are
// valid, one or two while they are rotated. The error has the code unauthenticated, and
// says which of them is wrong.
func Verify(secrets []Secret, id, timestamp, signature string, body []byte, now time.Time) error {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return callmodel.Errorf(callmodel.CodeUnauthenticated, "%s must be seconds since 1970: it is %.32q", HeaderTimestamp, timestamp)
	}
	at := time.Unix(seconds, 0)
	if off := now.Sub(at); off > Tolerance || off < -Tolerance {
		return callmodel.Errorf(callmodel.CodeUnauthenticated, "%s is %v away from the time here: it is an old delivery, or a clock is wrong", HeaderTimestamp, off.Round(time.Second))
	}
	for _, s := range secrets {
		key, err := s.Key()
		if err != nil {
			return err
		}
		want := Sign(key, id, at, body)
		for one := range strings.FieldsSeq(signature) {
			if hmac.Equal([]byte(one), []byte(want)) {
				return nil
			}
		}
	}
	return callmodel.Errorf(callmodel.CodeUnauthenticated, "%s is of none of the secrets: it is another webhook's, or the body was changed", HeaderSignature)
}
