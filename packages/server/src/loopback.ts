/** Whether a host name or address can only mean this machine. */
export const isLoopback = (hostname: string | undefined): boolean =>
  hostname !== undefined && /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\]|::1)$/i.test(hostname)
