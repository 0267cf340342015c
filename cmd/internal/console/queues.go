package console

import (
	"net/http"
	"time"

	"github.com/switchtape/switchtape/recording/recordinghttp"
)

// queueRow is a queue with what a table says of it.
type queueRow struct {
	recordinghttp.Queue
	Oldest time.Duration // for how long its oldest job has been able to run
}

// queuesOf asks the API for the queues.
func (c *Console) queuesOf(r *http.Request) ([]queueRow, error) {
	got, err := get[struct {
		Queues []recordinghttp.Queue `json:"queues"`
	}](c, r, "/v1/jobs/queues", nil)
	if err != nil {
		return nil, err
	}
	list := make([]queueRow, len(got.Queues))
	for i := range got.Queues {
		list[i] = queueRow{got.Queues[i], time.Duration(got.Queues[i].OldestDueS * float64(time.Second))}
	}
	return list, nil
}
