package reconcile_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/azure"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/gcs"
	"github.com/switchtape/switchtape/storage/s3"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
	"github.com/switchtape/switchtape/storage/storetest/drivertest"
)

// What was deleted or overwritten is brought back from the versions of every cloud.
func TestVersionsOfEveryCloud(t *testing.T) {
	for name, cloud := range map[string]struct {
		start  func(testing.TB) *buckettest.Versioned
		driver storage.Driver
	}{
		"S3": {buckettest.S3Versions, s3.Driver()}, "Google": {buckettest.GCSVersions, gcs.Driver()}, "Azure": {buckettest.AzureVersions, azure.Driver()},
	} {
		t.Run(name, func(t *testing.T) {
			srv := cloud.start(t)
			srv.Setenv(t)
			p := newPlace(t, drivertest.Open(t, srv.URL, cloud.driver), calldb.SQLiteURL(filepath.Join(t.TempDir(), "l.db")))
			p.recorded(t, "well", 1, true)
			deleted, over := p.recorded(t, "deleted", 1, true), p.recorded(t, "over", 1, true)
			srv.Delete(t, deleted)
			srv.Overwrite(t, over, "other", "")
			want := map[reconcile.Kind]int64{reconcile.ObjectDeleted: 1, reconcile.ObjectOverwritten: 1}
			r, err := reconcile.Run(t.Context(), p.db, p.store, p.dir, &reconcile.Options{Repair: true, Hash: true})
			require.NoError(t, err)
			assert.Equal(t, want, r.Found)
			assert.Equal(t, want, r.Repaired)
			r, err = reconcile.Run(t.Context(), p.db, p.store, p.dir, &reconcile.Options{Hash: true})
			require.NoError(t, err)
			assert.Empty(t, r.Found)
			assert.EqualValues(t, 3, r.Objects)
			assert.Positive(t, r.Versions)
		})
	}
}
