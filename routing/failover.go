package routing

import (
	"errors"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

func (v *validation) failover(p string, f *calls.Failover) {
	if f == nil {
		return
	}
	var faults callmodel.FieldErrors
	_ = errors.As(f.Validate(), &faults)
	for _, one := range faults {
		v.fault(p+"."+one.Path, "%s", one.Message)
	}
}
