#!/usr/bin/env python3
"""lossy.py LISTEN_PORT SERVER_PORT SEED DROP DOUBLE LATE READY ADDRESS...: a bad line in front of the lab's servers. Listens
on each address at LISTEN_PORT and passes on to the same address at SERVER_PORT. Of the answers over UDP the shares DROP,
DOUBLE and LATE (0 to 1) are lost, come twice, or come 20 to 120 ms late and so behind others. TCP is left alone. READY is
a file made when all sockets stand; at SIGTERM a line "answers N dropped N doubled N late N" is printed."""
import asyncio
import random
import signal
import sys


class Line:
    def __init__(self, seed, drop, double, late):
        self.random = random.Random(seed)
        self.drop, self.double, self.late = drop, double, late
        self.counts = dict(answers=0, dropped=0, doubled=0, late=0)

    def passes(self):
        """When each copy of an answer is to arrive: seconds from now."""
        self.counts["answers"] += 1
        if self.random.random() < self.drop:
            self.counts["dropped"] += 1
            return []
        when = [0.0]
        if self.random.random() < self.late:
            self.counts["late"] += 1
            when = [self.random.uniform(0.02, 0.12)]
        if self.random.random() < self.double:
            self.counts["doubled"] += 1
            when.append(when[0] + self.random.uniform(0.0, 0.05))
        return when


class Front(asyncio.DatagramProtocol):
    """Takes questions at one address; each gets a socket of its own towards the server."""

    def __init__(self, line, server):
        self.line, self.server = line, server

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, peer):
        loop = asyncio.get_running_loop()
        loop.create_task(loop.create_datagram_endpoint(lambda: Back(self, data, peer), remote_addr=self.server))


class Back(asyncio.DatagramProtocol):
    def __init__(self, front, question, peer):
        self.front, self.question, self.peer = front, question, peer

    def connection_made(self, transport):
        self.transport = transport
        transport.sendto(self.question)
        asyncio.get_running_loop().call_later(3, transport.close)

    def datagram_received(self, data, _):
        for seconds in self.front.line.passes():
            asyncio.get_running_loop().call_later(seconds, self.front.transport.sendto, data, self.peer)
        self.transport.close()

    def error_received(self, _):  # nobody listens there: silence is the worst that can be made of it
        self.transport.close()


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def serve(listen, server, line, ready, addresses):
    loop = asyncio.get_running_loop()

    def accept(address):
        async def connected(reader, writer):
            try:
                back_reader, back_writer = await asyncio.open_connection(address, server)
            except OSError:
                writer.close()
                return
            await asyncio.gather(pump(reader, back_writer), pump(back_reader, writer))
        return connected

    for address in addresses:
        await loop.create_datagram_endpoint(lambda a=address: Front(line, (a, server)), local_addr=(address, listen))
        await asyncio.start_server(accept(address), address, listen)
    open(ready, "w").close()
    end = loop.create_future()
    loop.add_signal_handler(signal.SIGTERM, end.set_result, None)
    await end
    print(" ".join("%s %d" % x for x in line.counts.items()), flush=True)


def main():
    listen, server, seed, drop, double, late, ready, *addresses = sys.argv[1:]
    line = Line(int(seed), float(drop), float(double), float(late))
    try:
        asyncio.run(serve(int(listen), int(server), line, ready, addresses))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
