package intake_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/broker/brokertest"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// Killed between any two steps, with a broker that is restarted: one row each.
func TestDrill(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 2} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			db, b := openDB(t), newJobs(t)
			brokertest.Drill(t, &brokertest.Drilled{Broker: b, Seed: seed, Messages: brokertest.DrillMessages(), Ledger: db, Letters: db, Disturb: func(t *testing.T, life int) {
				t.Helper()
				if life%8 == 3 {
					b.srv.Kill()
					b.srv.Start(t)
				}
			}})
		})
	}
}

// The same on PostgreSQL.
func TestDrillOnPostgreSQL(t *testing.T) {
	t.Parallel()
	db, err := calldb.Open(t.Context(), pgtest.URL(t), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	_, err = db.Migrate(t.Context())
	require.NoError(t, err)
	brokertest.Drill(t, &brokertest.Drilled{Broker: newJobs(t), Seed: 7, Messages: brokertest.DrillMessages(), Ledger: db, Letters: db})
}

// Three servers, of which one after the other is killed and comes back.
func TestDrillOfCluster(t *testing.T) {
	t.Parallel()
	servers := brokertest.NATSCluster(t)
	db, b := openDB(t), newJobs(t, servers...)
	brokertest.Drill(t, &brokertest.Drilled{Broker: b, Seed: 3, Messages: brokertest.DrillMessages(), Ledger: db, Letters: db, Disturb: func(t *testing.T, life int) {
		t.Helper()
		switch life % 6 {
		case 2:
			servers[life/6%3].Kill()
		case 5:
			servers[life/6%3].Start(t)
		}
	}})
}
