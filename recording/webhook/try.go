package webhook

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/callmodel/webhooks"
)

const (
	// maxAnswer is how much is read of an answer, in bytes.
	maxAnswer = 64 << 10
	// maxRetryAfter bounds what a receiver may ask for by Retry-After.
	maxRetryAfter = 24 * time.Hour
)

// DefaultSchedule is how long is waited after each try that failed, the first one first:
// 11 tries within 3 days, if each fails at once.
func DefaultSchedule() []time.Duration {
	return []time.Duration{
		5 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
		5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 18 * time.Hour, 22 * time.Hour,
	}
}

// client is that of all deliveries: it follows nothing, asks no proxy, which would dial
// what must not be, and keeps its connections to itself.
func client(o *Options) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:     newGuard(o.Allow).dialer(o).DialContext,
			TLSClientConfig: o.TLS, ForceAttemptHTTP2: true, TLSHandshakeTimeout: o.Timeout,
			MaxIdleConns: o.Concurrency, MaxIdleConnsPerHost: o.PerEndpoint, IdleConnTimeout: 30 * time.Second,
			MaxResponseHeaderBytes: maxAnswer,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// try makes one try at a delivery.
func (d *Deliverer) try(ctx context.Context, e *webhooks.Stored, k *webhooks.Task) webhooks.Outcome {
	o := webhooks.Outcome{ID: k.ID, Token: k.Token, EndpointID: e.ID}
	body, mediaType, err := payload(e.Form, &k.Event)
	if err != nil { // trying again changes nothing
		o.Error = err.Error()
		return o
	}
	ctx, span := d.trace(ctx, e, k)
	var after time.Duration
	o.Status, after, err = d.post(ctx, e, &k.Event, mediaType, body)
	span.SetInt("http.response.status_code", int64(o.Status))
	span.End(err)
	if err == nil {
		o.Delivered = true
		return o
	}
	o.Error, o.Gone = err.Error(), o.Status == http.StatusGone
	if !o.Gone && k.Tries < len(d.opts.Schedule) {
		step := d.opts.Schedule[k.Tries]
		o.RetryIn = max(step*9/10+time.Duration(d.opts.Jitter()*float64(step)/5), after, time.Millisecond)
	}
	return o
}

// trace begins the span of a try. It tells neither the URL nor what is posted, which may
// hold tokens.
func (d *Deliverer) trace(ctx context.Context, e *webhooks.Stored, k *webhooks.Task) (context.Context, tracing.Span) {
	if d.opts.Tracer != nil {
		ctx = d.opts.Tracer.Within(ctx, outbox.Traceparent(&k.Event))
	}
	ctx, span := tracing.Start(ctx, d.opts.Tracer, "deliver webhook")
	span.Set("switchtape.webhook", e.ID)
	span.Set("switchtape.event", k.Event.Type)
	span.Set("switchtape.tenant", string(e.TenantID))
	span.SetInt("switchtape.attempt", int64(k.Tries)+1)
	return ctx, span
}

// post sends body. Its error is nil if the answer is 2xx; status is 0 without an answer,
// and after is its Retry-After.
func (d *Deliverer) post(ctx context.Context, e *webhooks.Stored, of *callmodel.OutboxEvent, mediaType string, body []byte) (status int, after time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, d.opts.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return 0, 0, withoutURL(err)
	}
	r.Header.Set("Content-Type", mediaType)
	r.Header.Set("User-Agent", "Switchtape-Webhooks/1")
	if in := cmp.Or(tracing.Traceparent(ctx, d.opts.Tracer), outbox.Traceparent(of)); in != "" {
		r.Header.Set(tracing.Header, in)
	}
	if err := sign(r.Header, e, webhooks.EventID(of.Key), d.opts.Now(), body); err != nil {
		return 0, 0, err
	}
	a, err := d.client.Do(r)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return 0, 0, fmt.Errorf("there was no answer within %v", d.opts.Timeout)
		}
		return 0, 0, withoutURL(err)
	}
	// What is read lets the connection be used again; what it says isn't kept.
	_, _ = io.Copy(io.Discard, io.LimitReader(a.Body, maxAnswer))
	_ = a.Body.Close()
	switch {
	case a.StatusCode >= 200 && a.StatusCode < 300:
		return a.StatusCode, 0, nil
	case a.StatusCode >= 300 && a.StatusCode < 400:
		return a.StatusCode, 0, fmt.Errorf("answered %d: redirects aren't followed; give the webhook the URL that it leads to", a.StatusCode)
	}
	return a.StatusCode, retryAfter(a.Header.Get("Retry-After"), d.opts.Now()), fmt.Errorf("answered %d", a.StatusCode)
}

// withoutURL is the error without the endpoint's URL, which may hold a token.
func withoutURL(err error) error {
	if of, ok := errors.AsType[*url.Error](err); ok {
		return of.Err
	}
	return err
}

// retryAfter reads the header (RFC 9110, section 10.2.3); 0 if it isn't there or is odd.
func retryAfter(value string, now time.Time) time.Duration {
	var after time.Duration
	if s, err := strconv.ParseUint(value, 10, 31); err == nil {
		after = time.Duration(s) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		after = at.Sub(now)
	}
	return min(max(after, 0), maxRetryAfter)
}
