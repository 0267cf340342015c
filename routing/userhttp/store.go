package userhttp

import (
	"context"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/users"
)

// Store keeps users and tenants. *calldb.DB and memdb's Store are such stores.
//
// Every implementation passes storetest.UserStore.
type Store interface {
	// User is one that is there; ErrNotFound.
	User(ctx context.Context, t callmodel.TenantID, id users.ID) (users.User, error)
	// PutUser stores the user, its version, its numbers and its audit line in one
	// transaction, if the precondition holds, and returns it as it is stored. What is as
	// it was makes no version and no line. FieldErrors name what is wrong of it and every
	// number that is another's; CodePrecondition.
	PutUser(ctx context.Context, u users.User, w users.Write) (stored users.User, created bool, err error)
	// PutUsers is PutUser of at most 1000 users in one transaction, whatever was there.
	// FieldErrors name them by "[i]", where there are several.
	PutUsers(ctx context.Context, list []users.User, actor string) error
	// DeleteUser takes the user away and frees its numbers. Its history stays.
	// ErrNotFound if there is none; CodePrecondition.
	DeleteUser(ctx context.Context, t callmodel.TenantID, id users.ID, w users.Write) error
	// Users is a page of a tenant's users, by id. FieldErrors name "cursor".
	Users(ctx context.Context, f users.Filter) (users.Page[users.User], error)
	// UserVersions lists what a user was, newest first, before that version; 0 for the
	// newest. Limit 0 means 50, and at most 1000 are returned. ErrNotFound of one that never was.
	UserVersions(ctx context.Context, t callmodel.TenantID, id users.ID, before int64, limit int) ([]users.Version[users.User], error)

	// Tenants are stored as users are.
	Tenant(ctx context.Context, t callmodel.TenantID) (users.Tenant, error)
	PutTenant(ctx context.Context, t users.Tenant, w users.Write) (stored users.Tenant, created bool, err error)
	DeleteTenant(ctx context.Context, t callmodel.TenantID, w users.Write) error
	Tenants(ctx context.Context, cursor string, limit int) (users.Page[users.Tenant], error)
	TenantVersions(ctx context.Context, t callmodel.TenantID, before int64, limit int) ([]users.Version[users.Tenant], error)
}
