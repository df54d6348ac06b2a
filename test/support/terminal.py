# Runs a program in a terminal of its own, presses Ctrl-C each time it says `press`, and prints what it printed and its end.
import os, pty, sys
pid, master = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said = b''
while True:
    try:
        more = os.read(master, 4096)
    except OSError:
        break
    if not more:
        break
    if b'press' in more:
        os.write(master, b'\x03')
    said += more
status = os.waitpid(pid, 0)[1]
print(said.decode().replace('\r\n', '\n') + 'ended', os.waitstatus_to_exitcode(status))
