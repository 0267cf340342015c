// Package api measures the call handling service over HTTP: what tenants notice of one
// that sends many times its share.
//
//	go test -run xxx -bench . -benchtime 1x ./benchmarks/api
//
// SECONDS says how long each phase lasts, 10 by default. The database is SQLite with
// synchronous=FULL on a local disk, as in service.
package api
