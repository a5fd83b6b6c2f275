# SPDX-License-Identifier: Apache-2.0
"""A home router's side of PCP, NAT-PMP and UPnP: gives out ports, and notes what was asked of it.
It forwards nothing. Formats: RFC 6887, RFC 6886, UPnP WANIPConnection:1."""

import re
import socket
import struct

MAPPED = b"\0" * 10 + b"\xff\xff"
SSDP_GROUP, SSDP_PORT, PMP_PORT = "239.255.255.250", 1900, 5351
SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1"
DESCRIPTION = """<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor>
</specVersion><device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>
<friendlyName>router</friendlyName><manufacturer>nobody</manufacturer><modelName>1</modelName>
<UDN>uuid:00000000-0000-0000-0000-000000000001</UDN><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><serviceList><service>
<serviceType>urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1</serviceType>
<serviceId>urn:upnp-org:serviceId:WANCommonIFC1</serviceId><controlURL>/common</controlURL>
<eventSubURL>/events</eventSubURL><SCPDURL>/common.xml</SCPDURL></service></serviceList>
<deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><serviceList><service>
<serviceType>%s</serviceType><serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>
<controlURL>/control</controlURL><eventSubURL>/events</eventSubURL><SCPDURL>/scpd.xml</SCPDURL>
</service></serviceList></device></deviceList></device></deviceList></device></root>
""" % SERVICE
ENVELOPE = ('<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
            's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>%s</s:Body>'
            '</s:Envelope>')


class Router:
    """'speaks' is any of "pcp", "natpmp", "upnp"; 'taken' are outer ports of others; 'lifetime_s'
    is the longest that it gives. 'mappings' is {outer port: inner port} now; 'asked' has all
    requests, (protocol, what, lifetime)."""

    def __init__(self, lab, ns, address, speaks, external="11.0.9.9", taken=(), lifetime_s=7200):
        self.address, self.external, self.speaks = address, external, set(speaks)
        self.taken, self.lifetime_s = set(taken), lifetime_s
        self.mappings, self.asked = {}, []
        if self.speaks & {"pcp", "natpmp"}:
            self.pmp = ns.udp("0.0.0.0", PMP_PORT)
            lab.thread(self._serve_pmp)
        if "upnp" in self.speaks:
            self._open_upnp(ns)
            lab.thread(self._serve_ssdp)
            lab.thread(self._serve_http)

    def _map(self, inner, outer, lifetime):
        if lifetime == 0:
            self.mappings = {o: i for o, i in self.mappings.items() if i != inner}
            return 0
        while outer in self.taken or self.mappings.get(outer, inner) != inner:
            outer += 1
        self.mappings[outer] = inner
        return outer

    # ---- PCP and NAT-PMP ----

    def _serve_pmp(self):
        self.pmp.settimeout(None)
        try:
            while True:
                request, sender = self.pmp.recvfrom(2048)
                answer = self._answer_pmp(request)
                if answer:
                    self.pmp.sendto(answer, sender)
        except OSError:
            pass  # the lab has closed it

    def _answer_pmp(self, request):
        if request[0] == 2 and "pcp" in self.speaks:
            return self._answer_pcp(request)
        if "natpmp" not in self.speaks:
            return None
        if request[0] != 0:  # RFC 6886, 3.5
            return struct.pack("!BBHI", 0, 0x80, 1, 1)
        if request[1] == 0:
            self.asked.append(("natpmp", "address", None))
            return struct.pack("!BBHI4s", 0, 0x80, 0, 1, socket.inet_aton(self.external))
        inner, outer, lifetime = struct.unpack("!HHI", request[4:12])
        self.asked.append(("natpmp", "map", lifetime))
        lifetime = min(lifetime, self.lifetime_s)
        return struct.pack("!BBHIHHI", 0, 0x80 | request[1], 0, 1, inner,
                           self._map(inner, outer, lifetime), lifetime)

    def _answer_pcp(self, request):
        lifetime, = struct.unpack("!I", request[4:8])
        inner, outer = struct.unpack("!HH", request[40:44])
        self.asked.append(("pcp", "map", lifetime))
        lifetime = min(lifetime, self.lifetime_s)
        outer = self._map(inner, outer, lifetime)
        return (struct.pack("!BBBBII12x", 2, 0x81, 0, 0, lifetime, 1) + request[24:42]
                + struct.pack("!H", outer) + MAPPED + socket.inet_aton(self.external))

    # ---- UPnP ----

    def _open_upnp(self, ns):
        self.ssdp = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.ssdp.bind(("", SSDP_PORT))
        self.ssdp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                             socket.inet_aton(SSDP_GROUP) + socket.inet_aton(self.address))
        self.http = ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.http.bind((self.address, 0))
        self.http.listen(8)

    def _serve_ssdp(self):
        self.ssdp.settimeout(None)
        url = "http://%s:%d/description.xml" % self.http.getsockname()
        try:
            while True:
                request, sender = self.ssdp.recvfrom(2048)
                wanted = re.search(rb"\r\nST: *(\S+)", request, re.I)
                if wanted and b"InternetGatewayDevice" in wanted.group(1):
                    self.ssdp.sendto(b"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: "
                                     + wanted.group(1) + b"\r\nUSN: uuid:1::" + wanted.group(1)
                                     + b"\r\nEXT:\r\nSERVER: a\r\nLOCATION: " + url.encode()
                                     + b"\r\n\r\n", sender)
        except OSError:
            pass

    def _serve_http(self):
        self.http.settimeout(None)
        try:
            while True:
                client, _ = self.http.accept()
                with client:
                    client.settimeout(5)
                    self._answer_http(client)
        except OSError:
            pass

    def _answer_http(self, client):
        try:
            request = b""
            while b"\r\n\r\n" not in request:
                request += client.recv(4096)
            length = re.search(rb"\r\nContent-Length: *(\d+)", request, re.I)
            head, _, body = request.partition(b"\r\n\r\n")
            while length and len(body) < int(length.group(1)):
                body += client.recv(4096)
            status, text = "200 OK", DESCRIPTION
            if head.startswith(b"POST"):
                status, text = self._answer_soap(head.decode(), body.decode())
            client.sendall(("HTTP/1.1 %s\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n"
                            "Connection: close\r\n\r\n%s" % (status, len(text), text)).encode())
        except OSError:
            pass  # it went away

    def _answer_soap(self, head, body):
        action = re.search(r'SOAPAction: *"?[^#]*#(\w+)', head, re.I).group(1)

        def argument(name):
            found = re.search("<%s[^>]*>([^<]*)<" % name, body)
            return found.group(1) if found else ""

        told = ""
        if action == "GetExternalIPAddress":
            told = "<NewExternalIPAddress>%s</NewExternalIPAddress>" % self.external
        elif action == "GetStatusInfo":
            told = ("<NewConnectionStatus>Connected</NewConnectionStatus><NewLastConnectionError>"
                    "ERROR_NONE</NewLastConnectionError><NewUptime>1</NewUptime>")
        elif action == "AddPortMapping":
            outer, inner = int(argument("NewExternalPort")), int(argument("NewInternalPort"))
            lifetime = int(argument("NewLeaseDuration"))
            self.asked.append(("upnp", "map", lifetime))
            if outer in self.taken:
                return self._fault(718, "ConflictInMappingEntry")
            if lifetime != 0 and self.lifetime_s == 0:
                return self._fault(725, "OnlyPermanentLeasesSupported")
            self.mappings[outer] = inner
        elif action == "DeletePortMapping":
            self.asked.append(("upnp", "map", 0))
            self.mappings.pop(int(argument("NewExternalPort")), None)
        return "200 OK", ENVELOPE % ('<u:%sResponse xmlns:u="%s">%s</u:%sResponse>'
                                     % (action, SERVICE, told, action))

    @staticmethod
    def _fault(code, text):
        return "500 Internal Server Error", ENVELOPE % (
            "<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>"
            '<UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>%d</errorCode>'
            "<errorDescription>%s</errorDescription></UPnPError></detail></s:Fault>" % (code, text))
