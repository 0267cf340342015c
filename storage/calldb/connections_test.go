package calldb_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/storage/calldb"
)

// TestConnections: SQLite has one writer and so many readers; a PostgreSQL that isn't asked
// has its own bound and that of its replica.
func TestConnections(t *testing.T) {
	t.Parallel()
	db, err := calldb.Open(t.Context(), calldb.SQLiteURL(filepath.Join(t.TempDir(), "a.db")), &calldb.Options{MaxConns: 5})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	all := db.Connections()
	assert.Len(t, all, 2)
	assert.Equal(t, 1, all["calls"].MaxOpenConnections)
	assert.Equal(t, 5, all["read"].MaxOpenConnections)

	const away = "postgres://nobody@127.0.0.1:1/calls"
	other, err := calldb.Open(t.Context(), away, &calldb.Options{MaxConns: 7, Later: true, ReplicaURL: away})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, other.Close()) })
	all = other.Connections()
	assert.Len(t, all, 2)
	assert.Equal(t, 7, all["calls"].MaxOpenConnections)
	assert.Contains(t, all, "replica")
}
