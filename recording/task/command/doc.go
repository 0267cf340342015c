// Package command is a kind of job that runs a program on a stored recording.
//
// The worker's configuration says which programs there are, by name: a job names one and
// a recording, and nothing that is run. The program gets the recording's parts as files
// in a directory of its own, which is its working directory and its home, and is removed
// when it has ended:
//
//	job.json            what the files are: see Description
//	recording.wav …     the recording's outputs, by name and extension
//	manifest.json       the recording's manifest
//
// What it writes to its standard output, which must be JSON, is the job's result. It has
// no standard input, and of the worker's environment nothing but what Options.Env says.
//
//	exit 0              done
//	exit 65 EX_DATAERR  it can never succeed: quarantined
//	exit 75 EX_TEMPFAIL later, uncounted
//	any other, a signal later, counted; the third attempt is the last
//
// How the program itself ends decides, and what has been written by then is its output:
// what it leaves running isn't waited for, even if it holds the standard output open.
//
// # Bounds
//
// A program has a time, Options.Timeout, and then all of its process group is killed, as
// it is when the program has ended, when the job's lease is lost, and when the worker
// itself is killed: a shell that leads the group watches over it. The directory of a killed
// worker's job stays until task.SweepWorkdirs, as the commands call it when they start.
// The program's output is bounded by Options.MaxOutput, the
// memory of each of its processes by Options.MaxMemory (its address space, RLIMIT_AS), and
// the size of each file that it writes by Options.MaxFile (RLIMIT_FSIZE).
//
// A program runs as the worker's user. It can read what that user can, and so the worker's
// own secrets, too: name programs that are trusted as the worker is.
//
// Not bounded are: how many processes it starts, and so their memory together; how many
// files it writes; what it does on the network; and a process that leaves the process
// group by setsid, which outlives the job. Where programs aren't trusted let the service
// manager bound the worker (systemd's MemoryMax, TasksMax, PrivateNetwork), which holds
// for what it starts, too. A system without RLIMIT_AS, as macOS, bounds no memory: a
// program isn't started there unless Options.MaxMemory is negative. Windows has none of
// this, and there every such job is refused.
package command
