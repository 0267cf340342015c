package main

import (
	"context"
	"io"
	"os"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/cmd/internal/cli"
)

type usersCommand struct {
	List     usersList     `cmd:"" help:"List users by id, or the one that has a number."`
	Show     usersShow     `cmd:"" help:"Print a user as JSON."`
	Put      usersPut      `cmd:"" help:"Store a user, in the place of what was there."`
	Import   usersImport   `cmd:"" help:"Store users of a file of JSON, one in each line."`
	Versions usersVersions `cmd:"" help:"List what a user was, and who changed it."`
	Delete   usersDelete   `cmd:"" help:"Delete a user. What it was stays in its versions."`
}

type tenantsCommand struct {
	List     tenantsList     `cmd:"" help:"List the tenants."`
	Show     tenantsShow     `cmd:"" help:"Print a tenant as JSON."`
	Put      tenantsPut      `cmd:"" help:"Store a tenant's profile and defaults, in the place of what was there."`
	Versions tenantsVersions `cmd:"" help:"List what a tenant's profile was, and who changed it."`
	Delete   tenantsDelete   `cmd:"" help:"Delete a tenant's profile and defaults. Its users and calls stay."`
}

// usersOptions are those of all commands of users.
type usersOptions struct {
	apiOnlyOptions
	Tenant string `help:"Whose users, with a key that acts for every tenant. Default: the key's tenant's." placeholder:"TENANT"`
}

// pageOptions say which page of a list.
type pageOptions struct {
	Limit  int    `help:"At most so many, up to 500." default:"50"`
	Cursor string `help:"Continue behind the page with this next." placeholder:"CURSOR"`
}

func printNext(s cli.Streams, next string) {
	if next != "" {
		s.Printf("there are more: --cursor %s\n", next)
	}
}

// putOptions say what is stored, and in the place of what.
type putOptions struct {
	IfVersion int64  `help:"Make the change only if that is still the version." placeholder:"N" xor:"if"`
	Replace   bool   `help:"Make the change whatever is there. Without it and --if-version only what is not there yet is stored." xor:"if"`
	ID        string `arg:"" help:"Whose document it is."`
	File      string `arg:"" help:"The document, JSON; - for standard input."`
}

// put has do store the document, and prints what is there now.
func (o *putOptions) put(s cli.Streams, asJSON bool, do func(body io.Reader, match, noneMatch *string) (apiclient.Answer, error)) error {
	in, err := input(o.File)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	match, noneMatch := ifVersion(o.IfVersion), (*string)(nil)
	switch {
	case o.Replace:
		match = given("*")
	case match == nil:
		noneMatch = given("*")
	}
	is, raw, err := answered[struct {
		ID      string
		Version int64
	}](do(in, match, noneMatch))
	if err != nil || asJSON {
		return printRaw(s, raw, err)
	}
	s.Printf("%s  version %d\n", is.ID, is.Version)
	return nil
}

// ifVersion is the If-Match of a version; nil for 0.
func ifVersion(n int64) *string {
	if n == 0 {
		return nil
	}
	return given(users.Revision{Version: n}.ETag())
}

// input opens a file, or standard input.
func input(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(path) //nolint:gosec // the caller names the file
}

// deleteOptions say what is deleted.
type deleteOptions struct {
	ID        string `arg:"" help:"Whose document it is."`
	IfVersion int64  `help:"Delete it only if that is still its version. Default: whatever it is." placeholder:"N"`
}

// delete has do delete the document.
func (o *deleteOptions) delete(s cli.Streams, asJSON bool, do func(match *string) (apiclient.Answer, error)) error {
	match := ifVersion(o.IfVersion)
	if match == nil {
		match = given("*")
	}
	_, raw, err := answered[struct{}](do(match))
	if err != nil || asJSON {
		return printRaw(s, raw, err)
	}
	s.Printf("%s is deleted\n", o.ID)
	return nil
}

type usersList struct {
	usersOptions
	Number string `help:"The user that has the number, as people write it." placeholder:"N"`
	Region string `help:"Where the number is written, as ISO 3166-1 alpha-2. Default: the tenant's." placeholder:"CC"`
	pageOptions
}

func (c *usersList) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	page, raw, err := answered[struct {
		Users []users.User
		Next  string
	}](api.ListUsersWithResponse(ctx, &apiclient.ListUsersParams{
		Tenant: given(c.Tenant), Number: given(c.Number), Region: given(c.Region), Limit: &c.Limit, Cursor: given(c.Cursor),
	}))
	if err != nil || c.JSON {
		return printRaw(s, raw, err)
	}
	for i := range page.Users {
		u := &page.Users[i]
		s.Printf("%s  version %d  %s  %s\n", u.ID, u.Version, strings.Join(u.Numbers.All(), " "), u.Name)
	}
	printNext(s, page.Next)
	return nil
}

type usersShow struct {
	usersOptions
	ID string `arg:"" help:"The user."`
}

func (c *usersShow) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	_, raw, err := answered[users.User](api.GetUserWithResponse(ctx, c.ID, &apiclient.GetUserParams{Tenant: given(c.Tenant)}))
	return printRaw(s, raw, err)
}

type usersPut struct {
	usersOptions
	putOptions
}

func (c *usersPut) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	return c.put(s, c.JSON, func(body io.Reader, match, noneMatch *string) (apiclient.Answer, error) {
		return api.PutUserWithBodyWithResponse(ctx, c.ID, &apiclient.PutUserParams{
			Tenant: given(c.Tenant), IfMatch: match, IfNoneMatch: noneMatch,
		}, "application/json", body)
	})
}

type usersImport struct {
	usersOptions
	File    string        `arg:"" help:"The file; - for standard input."`
	Timeout time.Duration `help:"How long it may take. What was stored by then stays, and the same file may be sent again." default:"10m"`
}

func (c *usersImport) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.clientFor(c.Timeout)
	if err != nil {
		return err
	}
	in, err := input(c.File)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	done, raw, err := answered[struct{ Users int }](api.ImportUsersWithBodyWithResponse(ctx, &apiclient.ImportUsersParams{Tenant: given(c.Tenant)},
		"application/x-ndjson", in))
	if err != nil || c.JSON {
		return printRaw(s, raw, err)
	}
	s.Printf("%d users stored\n", done.Users)
	return nil
}

type usersDelete struct {
	usersOptions
	deleteOptions
}

func (c *usersDelete) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	return c.delete(s, c.JSON, func(match *string) (apiclient.Answer, error) {
		return api.DeleteUserWithResponse(ctx, c.ID, &apiclient.DeleteUserParams{Tenant: given(c.Tenant), IfMatch: match})
	})
}

// versionsOptions are those of lists of versions.
type versionsOptions struct {
	apiOnlyOptions
	ID     string `arg:"" help:"Whose."`
	Limit  int    `help:"At most so many, up to 1000." default:"50"`
	Before int64  `help:"Only versions before this." placeholder:"N"`
}

// print prints a page of versions.
func (c *versionsOptions) print(s cli.Streams, a apiclient.Answer, err error) error {
	page, raw, err := answered[struct {
		Versions []struct {
			Version int64
			At      time.Time
			Actor   string
			Deleted bool
		}
		Next int64
	}](a, err)
	if err != nil || c.JSON {
		return printRaw(s, raw, err)
	}
	for _, v := range page.Versions {
		what := ""
		if v.Deleted {
			what = "  deleted"
		}
		s.Printf("version %d  %s  by %s%s\n", v.Version, v.At.Format(time.RFC3339), v.Actor, what)
	}
	if page.Next != 0 {
		s.Printf("there are more: --before %d\n", page.Next)
	}
	return nil
}

type usersVersions struct {
	versionsOptions
	Tenant string `help:"Whose user, with a key that acts for every tenant. Default: the key's tenant's." placeholder:"TENANT"`
}

func (c *usersVersions) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	a, err := api.ListUserVersionsWithResponse(ctx, c.ID, &apiclient.ListUserVersionsParams{Tenant: given(c.Tenant), Limit: &c.Limit, Before: given(c.Before)})
	return c.print(s, a, err)
}

type tenantsList struct {
	apiOnlyOptions
	pageOptions
}

func (c *tenantsList) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	page, raw, err := answered[struct {
		Tenants []users.Tenant
		Next    string
	}](api.ListTenantsWithResponse(ctx, &apiclient.ListTenantsParams{Limit: &c.Limit, Cursor: given(c.Cursor)}))
	if err != nil || c.JSON {
		return printRaw(s, raw, err)
	}
	for i := range page.Tenants {
		t := &page.Tenants[i]
		s.Printf("%s  version %d  %s\n", t.ID, t.Version, t.Profile.Name)
	}
	printNext(s, page.Next)
	return nil
}

type tenantsShow struct {
	apiOnlyOptions
	ID string `arg:"" help:"The tenant."`
}

func (c *tenantsShow) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	_, raw, err := answered[users.Tenant](api.GetTenantWithResponse(ctx, c.ID, &apiclient.GetTenantParams{}))
	return printRaw(s, raw, err)
}

type tenantsPut struct {
	apiOnlyOptions
	putOptions
}

func (c *tenantsPut) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	return c.put(s, c.JSON, func(body io.Reader, match, noneMatch *string) (apiclient.Answer, error) {
		return api.PutTenantWithBodyWithResponse(ctx, c.ID, &apiclient.PutTenantParams{IfMatch: match, IfNoneMatch: noneMatch}, "application/json", body)
	})
}

type tenantsDelete struct {
	apiOnlyOptions
	deleteOptions
}

func (c *tenantsDelete) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	return c.delete(s, c.JSON, func(match *string) (apiclient.Answer, error) {
		return api.DeleteTenantWithResponse(ctx, c.ID, &apiclient.DeleteTenantParams{IfMatch: match})
	})
}

type tenantsVersions struct{ versionsOptions }

func (c *tenantsVersions) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	a, err := api.ListTenantVersionsWithResponse(ctx, c.ID, &apiclient.ListTenantVersionsParams{Limit: &c.Limit, Before: given(c.Before)})
	return c.print(s, a, err)
}
