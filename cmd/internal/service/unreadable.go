package service

import (
	"sync/atomic"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/ops"
)

// unreadable counts requests for recordings that can't be read for what they are.
type unreadable struct{ damaged, keyless atomic.Int64 }

func newUnreadable(m *ops.Metrics) *unreadable {
	u := &unreadable{}
	for code, n := range map[callmodel.Code]*atomic.Int64{callmodel.CodeDamaged: &u.damaged, callmodel.CodeKeyMissing: &u.keyless} {
		m.CounterOf("switchtape_unreadable_recordings_total", map[string]string{"code": string(code)}, func() float64 { return float64(n.Load()) })
	}
	return u
}

func (u *unreadable) count(code callmodel.Code) {
	if code == callmodel.CodeDamaged {
		u.damaged.Add(1)
		return
	}
	u.keyless.Add(1)
}
