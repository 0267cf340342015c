package command

// limited keeps the first bytes that are written to it, and tells once if there are more.
// It takes all, so that the program isn't held by a pipe that nobody reads.
type limited struct {
	most int64
	full func()
	kept []byte
	over bool
}

func (l *limited) Write(p []byte) (int, error) {
	room := l.most - int64(len(l.kept))
	if int64(len(p)) <= room {
		l.kept = append(l.kept, p...)
		return len(p), nil
	}
	l.kept = append(l.kept, p[:room]...)
	if !l.over {
		l.over = true
		l.full()
	}
	return len(p), nil
}

func (l *limited) bytes() []byte { return l.kept }
