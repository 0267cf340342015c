// Package api measures the call handling service from outside: whole processes, over
// HTTP, on a PostgreSQL beside them.
package api
