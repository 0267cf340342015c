// Package hangup measures whole recordings, from hang-up to the URL on the call: how long one
// takes while nothing else is to be done and behind a backlog, how many are made in a second,
// and what of the processor each takes, and where. API and worker are processes of their own.
package hangup
