package recording

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/manifest"
)

// putManifest writes the object that says how the recording was made, and adds it
// to the result. A recording without outputs has none. It has the version of the outputs:
// if that is taken by other bytes, the error is a *versionsError.
func (p *Processor) putManifest(ctx context.Context, call *timedCall, o *ProcessOptions, version int, r *record.Result) error {
	spec := call.spec
	if spec.NoManifest || len(r.Outputs) == 0 {
		return nil
	}
	m, err := manifest.New(spec, r, manifestFiles(call))
	if err != nil {
		return err
	}
	meta := record.ObjectMeta{ContentType: "application/json", NewVersion: o.NewVersion, Metadata: map[string]string{
		"tenant_id": string(spec.TenantID), "call_id": string(spec.CallID),
		"recording_id": string(spec.RecordingID), "encoder": manifest.Version,
	}}
	if o.Manifest != "" && version == o.Version {
		sum := sha256.New()
		if err := m.Write(sum); err != nil {
			return err
		}
		if hex.EncodeToString(sum.Sum(nil)) != o.Manifest {
			return &versionsError{version + 1}
		}
	}
	written := false
	key := spec.ManifestKey()
	key.Version = version
	info, err := p.objects.Put(ctx, key, meta, func(w io.Writer) error {
		written = true
		return m.Write(w)
	})
	if err == nil && !written && !info.Existed {
		err = errors.New("the store took nothing")
	}
	if err != nil {
		return fmt.Errorf("recording: write the manifest: %w", err)
	}
	if info.Key.Version > version { // that one names outputs of a version before, and stays alone
		return &versionsError{info.Key.Version + 1}
	}
	r.Manifest = &record.ManifestResult{URL: info.URL, Bytes: info.Bytes, SHA256: info.SHA256}
	if info.Key != (record.ObjectKey{}) {
		r.Manifest.Key = info.Key.String()
	}
	return nil
}

// manifestFiles is what was read of each leg's files.
func manifestFiles(call *timedCall) [][]manifest.File {
	files := make([][]manifest.File, len(call.legs))
	for i, l := range call.legs {
		for _, s := range l.segments {
			files[i] = append(files[i], manifest.File{
				URI: s.Spec.URI, Offset: s.Spec.Offset, Bytes: s.Bytes, SHA256: s.SHA256,
				Frames: s.Frames, Rate: s.rate, Channels: s.Format.NumChannels,
			})
		}
	}
	return files
}
