package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/webhooks"
)

// payload is what is posted of an event.
func payload(f webhooks.Form, e *callmodel.OutboxEvent) (body []byte, mediaType string, err error) {
	if e.Key == "" {
		return nil, "", errors.New("the event isn't in the outbox any more")
	}
	if f == webhooks.FormCallback {
		form, err := callback(e)
		return []byte(form.Encode()), "application/x-www-form-urlencoded", err
	}
	if !json.Valid(e.Body) {
		return nil, "", fmt.Errorf("the event %s is not JSON", e.Key)
	}
	kind, err := json.Marshal(e.Type)
	if err != nil {
		return nil, "", err
	}
	body = append(body, `{"type":`...)
	body = append(body, kind...)
	body = append(body, `,"timestamp":"`...)
	body = e.At.UTC().AppendFormat(body, time.RFC3339Nano)
	body = append(body, `","data":`...)
	body = append(body, e.Body...)
	return append(body, '}'), "application/json", nil
}

// callback is an event of a recording in the fields of hosted platforms' callbacks.
func callback(e *callmodel.OutboxEvent) (url.Values, error) {
	var told struct {
		CallID    callmodel.CallID `json:"call_id"`
		Recording record.CallEntry `json:"recording"`
	}
	if err := json.Unmarshal(e.Body, &told); err != nil {
		return nil, fmt.Errorf("the event %s has no recording: %w", e.Key, err)
	}
	r := &told.Recording
	form := url.Values{
		"AccountSid":      {string(e.TenantID)},
		"CallSid":         {string(told.CallID)},
		"RecordingSid":    {string(r.RecordingID)},
		"RecordingStatus": {status(r.Status)},
		"EventType":       {e.Type},
		"Timestamp":       {e.At.UTC().Format(time.RFC1123Z)},
	}
	if r.URL == "" {
		return form, nil
	}
	form.Set("RecordingUrl", r.URL)
	form.Set("RecordingDuration", strconv.FormatInt(int64(r.Duration.Round(time.Second)/time.Second), 10))
	for i := range r.Outputs {
		if r.Outputs[i].URL == r.URL {
			form.Set("RecordingChannels", strconv.Itoa(r.Outputs[i].Channels))
		}
	}
	return form, nil
}

// status is a recording's in the words of those callbacks.
func status(s record.Status) string {
	switch s {
	case record.StatusCompleted, record.StatusCompletedDegraded:
		return "completed"
	case record.StatusAbsent:
		return "absent"
	default:
		return "failed"
	}
}

// sign sets the headers of one try.
func sign(h http.Header, e *webhooks.Stored, id string, at time.Time, body []byte) error {
	secrets := []webhooks.Secret{e.Secret}
	if e.Old != "" && at.Before(e.OldUntil) {
		secrets = append(secrets, e.Old)
	}
	signatures := make([]string, 0, len(secrets))
	for _, s := range secrets {
		key, err := s.Key()
		if err != nil {
			return fmt.Errorf("the secret of the webhook %s is damaged; rotate it", e.ID)
		}
		signatures = append(signatures, webhooks.Sign(key, id, at, body))
	}
	h.Set(webhooks.HeaderID, id)
	h.Set(webhooks.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(webhooks.HeaderSignature, strings.Join(signatures, " "))
	return nil
}
