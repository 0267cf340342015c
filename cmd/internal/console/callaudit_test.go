package console

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/shares"
)

// What somebody does again within the hour is one deed; another's, or a later one, is not.
func TestDeeds(t *testing.T) {
	t.Parallel()
	at := func(minute int) time.Time {
		return time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC).Add(time.Duration(minute) * time.Minute)
	}
	var list []deed
	call := &calls.Call{ID: "c1"}
	for _, e := range []callmodel.AuditEvent{
		{At: at(0), Actor: "ann", Action: callmodel.AuditListened, Subject: "j1", Detail: map[string]string{"codec": "mp3", "way": "stream"}},
		{At: at(10), Actor: "bob", Action: callmodel.AuditListened, Subject: "j1", Detail: map[string]string{"codec": "mp3", "way": "stream"}},
		{At: at(50), Actor: "ann", Action: callmodel.AuditListened, Subject: "j1", Detail: map[string]string{"codec": "mp3", "way": "stream"}},
		{At: at(51), Actor: "share:s1", Action: shares.AuditOpened, Subject: "s1"},
		{At: at(200), Actor: "ann", Action: callmodel.AuditListened, Subject: "j1", Detail: map[string]string{"codec": "mp3", "way": "stream"}},
		{At: at(201), Actor: "ann", Action: "paint.it_black", Subject: "c1", Detail: map[string]string{"reason": "asked for"}},
	} {
		list = joined(list, deedOf(&e, call))
	}
	assert.Equal(t, []deed{
		{At: at(10), Since: at(10), Times: 1, Who: "bob", What: "listened", Of: "j1", More: "mp3, stream"},
		{At: at(50), Since: at(0), Times: 2, Who: "ann", What: "listened", Of: "j1", More: "mp3, stream"},
		{At: at(51), Since: at(51), Times: 1, Who: "somebody with the link", What: "opened the link", Of: "s1"},
		{At: at(200), Since: at(200), Times: 1, Who: "ann", What: "listened", Of: "j1", More: "mp3, stream"},
		{At: at(201), Since: at(201), Times: 1, Who: "ann", What: "paint it black", More: "asked for"},
	}, list)
}
