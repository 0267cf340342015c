package problem

import "context"

type refusalKey struct{}

// WithRefusal marks a request that is to be refused with err unless it turns out to be
// an emergency call. A host gives such requests to the handler that takes calls, which
// alone can tell; all others it refuses itself.
func WithRefusal(ctx context.Context, err error) context.Context {
	return context.WithValue(ctx, refusalKey{}, err)
}

// Refusal is what the request is to be refused with if it is no emergency call; nil if
// it isn't to be.
func Refusal(ctx context.Context) error {
	err, _ := ctx.Value(refusalKey{}).(error)
	return err
}
