package azure

import (
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gocloud.dev/blob/azureblob"

	"github.com/switchtape/switchtape/callmodel"
)

func TestSigningNeedsTheAccountsKey(t *testing.T) {
	t.Parallel()
	client, err := container.NewClientWithNoCredential("https://acme.blob.core.windows.net/recordings", nil)
	require.NoError(t, err)
	b, err := azureblob.OpenBucket(t.Context(), client, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	_, err = sign(t.Context(), b, "call.wav", time.Minute)
	require.ErrorContains(t, err, "AZURE_STORAGE_KEY")
	assert.Equal(t, callmodel.CodeUnsupported, callmodel.CodeOf(err))
}
