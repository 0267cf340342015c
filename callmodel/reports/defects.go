package reports

import "github.com/switchtape/switchtape/callmodel"

// Dimensions of defects, beside the hour, the tenant and the server.
const (
	Software Dimension = "software" // the telephone server's, name and version; "" if nobody said it
	Defect   Dimension = "defect"   // a record.DefectCode; "" of recordings that have none
)

// DefectDimensions are those of reports on defects.
func DefectDimensions() []Dimension { return []Dimension{Hour, Day, Tenant, Server, Software, Defect} }

// Defects are sums over the recordings of calls, by their defects: one counts once for each
// kind that it has, and once, with none, if it is whole.
type Defects struct {
	Recordings int64
}

// DefectKey is where in the reports a recording's defect counts.
type DefectKey struct {
	TenantID                 callmodel.TenantID
	Hour                     int64 // since 1970, of the call's end
	Server, Software, Defect string
}
