package service

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/routing/directory"
	"github.com/switchtape/switchtape/routing/userhttp"
	"github.com/switchtape/switchtape/storage/calldb"
)

var (
	_ userhttp.Store    = (*calldb.DB)(nil)
	_ directory.Source  = (*calldb.DB)(nil)
	_ callservice.Users = (*directory.Directory)(nil)
)

// mountUsers serves users and tenants, and shows what is known of them in memory.
func (a *API) mountUsers(s *Stores, checker *recording.Processor, m *ops.Metrics, log *slog.Logger) {
	userhttp.New(s.DB, &userhttp.Options{
		DefaultRegion: strings.ToUpper(a.opts.Region), AccessDenied: a.calls.AccessDenied, Logger: log,
		CheckOutputs: func(list []record.OutputSpec) error { return CheckOutputs(checker, list) },
	}).Mount(a.mux)
	m.Gauge("switchtape_users", func() float64 { return float64(a.users.State().Users) })
	m.Gauge("switchtape_users_age_seconds", func() float64 {
		state := a.users.State()
		if !state.Loaded {
			return -1
		}
		return time.Since(state.Current).Seconds()
	})
}

// oldUsers is how old the users may be before it is told.
const oldUsers = time.Minute

// usersCheck says how much is known of the users. A process that knows too little takes
// calls all the same.
func (a *API) usersCheck() ops.Check {
	return ops.Check{Name: "users", Check: func(context.Context) error { return nil }, Detail: func() string {
		state := a.users.State()
		switch age := time.Since(state.Current); {
		case !state.Loaded && state.Err != nil:
			return "the users can't be loaded; calls are decided without them"
		case !state.Loaded:
			return fmt.Sprintf("the users are being loaded, %d so far; calls are decided by those", state.Users)
		case age > oldUsers:
			return fmt.Sprintf("users as of %s; the database doesn't say what has changed since", state.Current.UTC().Format(time.RFC3339))
		}
		return ""
	}}
}

// TenantHeader names the tenant that a principal with the scope tenants:every acts for.
const TenantHeader = "Switchtape-Tenant"

// actingFor lets principals of the platform act for the tenant that they name, as its
// own keys do: a telephone server at its edge handles the calls of all tenants.
func actingFor(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, known := callmodel.PrincipalFrom(r.Context())
		t := callmodel.TenantID(r.Header.Get(TenantHeader))
		if !known || t == "" || t == p.TenantID {
			next.ServeHTTP(w, r)
			return
		}
		switch {
		case !p.Allows(callmodel.ScopeTenantsEvery):
			problem.Write(w, callmodel.Errorf(callmodel.CodeForbidden, "the credentials are of another tenant; to act for one in %s needs the scope %q",
				TenantHeader, callmodel.ScopeTenantsEvery))
		case !callmodel.ValidID(string(t)):
			problem.Write(w, callmodel.Errorf(callmodel.CodeMalformed, "%s is not a tenant id", TenantHeader))
		default:
			p.TenantID = t
			next.ServeHTTP(w, r.WithContext(callmodel.WithPrincipal(r.Context(), p)))
		}
	})
}
