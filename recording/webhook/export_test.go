package webhook

import (
	"context"
	"net/netip"
)

// Step makes the deliveries of what has happened and tries what is due, until nothing is,
// or what is rests.
func (d *Deliverer) Step(ctx context.Context) error {
	for {
		n, err := d.fan(ctx)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	for {
		before := d.Counts()
		if err := d.start(ctx, ctx); err != nil {
			return err
		}
		d.running.Wait()
		due, err := d.store.DueWebhooks(ctx, 0)
		if err != nil || len(due) == 0 || d.Counts() == before {
			return err
		}
	}
}

// CheckAddress is what is decided of an address before it is dialled.
func CheckAddress(a netip.Addr, allowed ...netip.Prefix) error { return newGuard(allowed).check(a) }
