"""A service as small as one can be: greets over HTTP by its settings, after its database was filled."""

import sys

from six.moves import BaseHTTPServer, configparser


class Greeting(BaseHTTPServer.BaseHTTPRequestHandler):
    def do_GET(self):
        with open("/var/lib/greeter/database") as database:
            words = "%s %s, Python %d" % (self.server.greeting, database.read().strip(), sys.version_info[0])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(words.encode("ascii"))


def main():
    settings = configparser.RawConfigParser()
    settings.read(sys.argv[1])
    if "fill" in sys.argv:
        with open("/var/lib/greeter/database", "a") as database:
            database.write("everybody")
        return
    server = BaseHTTPServer.HTTPServer(("127.0.0.1", 8008), Greeting)
    server.greeting = settings.get("DEFAULT", "greeting")
    server.serve_forever()
