// Package sharehttp serves share links: who manages them, and who opens them.
//
//	                                                      needs the scope
//	GET    /v1/shares          the tenant's: ?job_id=       shares:read
//	POST   /v1/shares          make one, show its link      shares:write and recordings:read
//	GET    /v1/shares/{id}     one                          shares:read
//	DELETE /v1/shares/{id}     revoke it                    shares:write
//
//	GET    /s/{token}          a page that plays it         nobody's: see [Public]
//	GET    /s/{token}/audio    the audio, with ranges
//
// A share is of a recording, by the job that made it, or of a part of it by time. Of a part
// what is served holds that part alone, see package excerpt: no range of the request
// reaches what is outside. The scopes are of their own since a share hands audio to people
// who have no credentials; who makes one must be allowed to hear the recording, too.
//
// The page is no opening: programs that preview links don't use a share up. The audio is
// one, and each opening is in the audit log, with the address, what proxies and the client
// say of themselves, and how manieth it is. Requests of the same client that follow each
// other within ten minutes are one opening, however many ranges they ask for: see
// shares.Gap. A client is an address with what it says of itself; clients behind one
// address that say the same are taken for one. Who can't be noted gets nothing.
//
// A share plays what the recording is now: of a later version that, and of one that was
// erased nothing (410).
package sharehttp
