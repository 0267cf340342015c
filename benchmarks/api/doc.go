// Package api measures the call handling service from outside, over HTTP: whole processes
// on a PostgreSQL beside them, and what tenants notice of one that sends many times its
// share, on SQLite.
package api
