import { describe, expect, it } from 'vitest'
import { clientAddress } from './client-address.ts'

describe('clientAddress', () => {
  it.each<[string | undefined, string]>([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:ffff::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:0DB8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    [undefined, 'unknown'],
  ])('%s counts as %s', (remote, address) => {
    expect(clientAddress(remote, undefined, 0)).toBe(address)
  })
  it('is what the connection says while no proxy is trusted', () => {
    expect(clientAddress('192.0.2.7', '203.0.113.1', 0)).toBe('192.0.2.7')
  })
  it.each<[number, string, string]>([
    [1, '203.0.113.1', '203.0.113.1'],
    [1, '198.51.100.66, 203.0.113.1', '203.0.113.1'],
    [2, '198.51.100.66, 203.0.113.1, 10.0.0.2', '203.0.113.1'],
    [2, '203.0.113.1', '203.0.113.1'],
    [1, '203.0.113.1:4711', '203.0.113.1'],
    [1, '[2001:db8::1]:4711', '2001:db8:0:0::/64'],
    [1, 'unknown', '192.0.2.7'],
    [1, '', '192.0.2.7'],
    [1, '203.0.113.1, <script>', '192.0.2.7'],
  ])('with %i proxies, %j is from %s, whatever the caller put in front', (proxies, forwarded, address) => {
    expect(clientAddress('192.0.2.7', forwarded, proxies)).toBe(address)
  })
})
